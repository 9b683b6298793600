"""The catalogue of what can be wrong with a pipeline: each code in English and Chinese, with what helps.

A text names what it speaks of by facts in braces. What is quoted comes from the pipeline, so that whoever wrote it
finds it there; what is likely meant instead is no part of the text, but a problem's `suggestion`.
"""

from typing import NamedTuple

from hanse.core.errors import advise, describe
from hanse.core.faults import Fault
from hanse.core.planning import Problem


class Words(NamedTuple):
    """What is wrong and what helps, in English and in Chinese."""

    message: str
    message_zh: str
    remedy: str
    remedy_zh: str


def tell(code: str, pointer: str, task: str = "", suggestion: str = "", /, **facts: object) -> Problem:
    """Return the problem of a code at a place. Raises KeyError for a code, or a fact, that the catalogue lacks."""
    message, message_zh, remedy, remedy_zh = (text.format_map(facts) for text in CATALOGUE[code])
    return Problem(task, message, remedy, pointer, code, message_zh, remedy_zh, suggestion)


def tell_fault(fault: Fault, pointer: str, task: str = "") -> Problem:
    """Return a fault as a problem of a pipeline: its cause, and the catalogue of errors for what the code says."""
    entry = describe(fault.code)
    chinese = f"{entry.text['zh']}（{fault.cause}）" if fault.cause else entry.text["zh"]
    message = fault.cause or entry.text["en"]
    return Problem(task, message, advise(fault), pointer, fault.code, chinese, fault.remedy or entry.advice["zh"])


def _read(catalogue: str) -> dict[str, Words]:
    """Read blocks of five lines: the code, then message and remedy, each in English and Chinese (-: no remedy)."""
    blocks = (block.splitlines() for block in catalogue.strip().split("\n\n"))
    return {code: Words(*("" if line == "-" else line for line in lines)) for code, *lines in blocks}


CATALOGUE = _read("""
approval.missing
this party's approver has not agreed: the approval is {state}
该参与方的审批人尚未同意：审批状态为 {state}
speak with this party's approvers; then start a new job
请与该参与方的审批人沟通，然后重新发起作业

column.fractions
the column {column!r} of {port} has fractions and cannot be categorical
{port} 的列“{column}”含小数，不能作为类别列
leave it out of the categories
请将其从类别列中去掉

column.not_granted
{column} of dataset {dataset!r} is granted to nobody in this project
数据集“{dataset}”的列 {column} 未授权给本项目
use columns that are granted, or ask the owner for these: `hanse grant add`
请使用已授权的列，或请所有者授权：`hanse grant add`

column.nowhere
no party has a column {column!r} at {port!r}, which {setting!r} names
没有任何参与方在“{port}”有“{setting}”所指的列“{column}”
name a column that is there
请填写存在的列

column.required
the table of {party} at {port!r} has no column {column!r}
{party} 在“{port}”的表中没有列“{column}”
connect a table that has it
请连接含有该列的表

column.reserved
the id or label column of {party} at {port!r} is called {column!r}, which is the name of a result
{party} 在“{port}”的标识列或标签列名为“{column}”，与结果列重名
register the dataset with another name for that column
请为该列改名后重新登记数据集

column.text
the column {column!r} of {port} is text, and {setting!r} takes numbers
{port} 的列“{column}”为文本，而“{setting}”需要数值
encode it, or leave it out
请先编码，或去掉该列

column.unknown
{party} has no column {column!r} at {port!r}, which {setting!r} names
{party} 在“{port}”没有“{setting}”所指的列“{column}”
name a column that is there
请填写存在的列

component.parties
no party of this job can run {component}
本作业没有可运行 {component} 的参与方
it is for: {roles}
适用角色：{roles}

component.unknown
{component!r} is no component of this installation
本安装中没有组件“{component}”
one of: {known}
可用组件：{known}

component.version
the guest runs {component} {proposed}, {party} {installed}
任务发起方的 {component} 版本为 {proposed}，{party} 为 {installed}
bring both nodes to one release
请将双方节点升级到同一版本

dataset.mixed
the parties name different tables, and a derived one is aligned with its own parts alone
各参与方填写了不同的表，而派生数据集只与其自身各部分对齐
name the same `derived:…` for every party: `hanse derived list` shows it
请为所有参与方填写同一个 `derived:…`：见 `hanse derived list`

dataset.not_granted
{party} has granted no dataset {dataset!r} to this project
{party} 没有名为“{dataset}”的数据集授权给本项目
its owner grants it to the project: `hanse grant add`
请由所有者授权给本项目：`hanse grant add`

dataset.unnamed
{party} names no dataset
{party} 未填写数据集
set `dataset` for this party
请为该参与方设置 `dataset`

dataset.unlike
the ids are {ours} here and {theirs} at {party}: no two of them are written the same way
本方标识为 {ours}，{party} 为 {theirs}：两者写法不同，无法匹配
register both datasets with the same type of ids: `hanse dataset register --id-type`
请以相同的标识类型登记双方数据集：`hanse dataset register --id-type`

disclosure.planned
{count} exact sums of {dataset!r} are planned, {spent} were told before; {rows} rows and limit {limit:g} allow {most}
计划对“{dataset}”进行 {count} 次精确求和，此前已告知 {spent} 次；{rows} 行、披露上限 {limit:g} 时最多 {most} 次
train fewer or shallower trees, or have the owner of the dataset grant a higher disclosure limit
请减少树的数量或深度，或请数据集所有者提高披露上限

input.kind
{reference} is a {given}, {port!r} takes a {wanted}
{reference} 是 {given}，“{port}”需要 {wanted}
connect a {wanted}
请连接 {wanted}

input.missing
the input {port!r} of {parties} is not connected
{parties} 的输入“{port}”未连接
connect {port!r}
请连接“{port}”

input.model
{reference} is a model, {port!r} takes none
{reference} 是模型，“{port}”不接受模型
connect a task's output
请连接任务的输出

input.no_output
{source} leaves no {output!r} at {parties}
{source} 在 {parties} 没有输出“{output}”
connect an output that this party has: {known}
请连接该参与方拥有的输出：{known}

input.no_task
{port!r} comes from {reference!r}, but there is no task {source!r}
“{port}”取自“{reference}”，但没有任务“{source}”
name a task
请填写存在的任务

input.unknown
{component} has no input {port!r}
{component} 没有输入“{port}”
it takes: {known}
可用输入：{known}

job.changed
job {job} is known here as another one
作业 {job} 在本方是另一个作业
start it as a new job
请作为新作业发起

job.over
this party has {state} the job
该参与方的作业状态已为 {state}
-
-

job.slow
by what this node has measured it takes at least {least} s, and may take {limit} s
按本节点的测量，至少需要 {least} 秒，而上限为 {limit} 秒
use fewer rows or rounds, or start it with a longer time limit
请减少行数或轮数，或以更长的时限发起

label.absent
the table of {party} at {port!r} has no label
{party} 在“{port}”的表没有标签列
{advice}
{advice_zh}

label.text
the label {column!r} of {party} at {port!r} is text, a number is needed
{party} 在“{port}”的标签列“{column}”为文本，需要数值
register the dataset with numbers as labels
请以数值标签登记数据集

model.unknown
the model {reference!r} is unknown
模型“{reference}”不存在
connect a task's model, or model:<id>: see `hanse model list`
请连接任务的模型，或填写 model:<id>：见 `hanse model list`

model.unmade
{source!r} makes no model
“{source}”不产生模型
connect the model of a training task
请连接训练任务的模型

model.unused
{component} does not say how to use its model
{component} 未说明如何使用其模型
choose the model of another component
请选择其他组件的模型

party.absent
{party} is no party of this pipeline
{party} 不是本流程的参与方
-
-

party.name
{party!r} is no party
“{party}”不是有效的参与方名称
name the parties guest, arbiter, host-1, host-2, …
参与方请命名为 guest、arbiter、host-1、host-2、…

party.not_guest
the guest of a job is the organisation that starts it, {mine!r} here, not {organisation!r}
作业的任务发起方须为启动它的组织（本方为“{mine}”），而不是“{organisation}”
name one's own organisation as guest
请将本组织填写为 guest

party.stranger
{organisation!r} is not in project {project!r}
“{organisation}”不在项目“{project}”中
name an organisation that has accepted the project: `hanse project list`
请填写已接受该项目的组织：`hanse project list`

party.suspended
{own} has suspended {organisation}
{own} 已暂停与 {organisation} 的合作
its administrator lets it speak again: `hanse member resume`
请由管理员恢复：`hanse member resume`

party.twice
{organisation!r} is {parties}: an organisation can be one party of a job only
“{organisation}”同时是 {parties}：一个组织只能担任一个参与方
leave it out but once
请只保留一个

party.unpaired
{own} does not know {organisation}
{own} 尚未与 {organisation} 配对
pair them first: `hanse invite` at one of them, `hanse join` at the other
请先配对：一方执行 `hanse invite`，另一方执行 `hanse join`

pipeline.cycle
the tasks wait for one another: {path}
任务相互等待，构成环：{path}
break the cycle
请断开该环

pipeline.form
{message}
格式不符：{message}
correct the form: `GET /v1/pipelines/schema` describes it
请更正格式，见 `GET /v1/pipelines/schema`

pipeline.no_guest
there is no guest
没有任务发起方（guest）
name the organisation that starts the job as guest
请将启动作业的组织填写为 guest

pipeline.no_task
there is no task
没有任务
add a task
请添加任务

result.missing
no earlier job has the result of {of} with these settings, data and grants
没有更早的作业以相同的设置、数据和授权得到过 {of} 的结果
make it first: run the pipeline with `--to {of}`, or whole
请先运行：以 `--to {of}` 运行流程，或整体运行

setting.clash
{message}
{message_zh}
correct one of the settings
请更正其中一项设置

setting.invalid
{setting}: expected {expected}, got {value}
{setting}：应为{expected_zh}，实为 {value}
correct the setting; the component's page lists names, types and bounds
请更正该设置；组件页面列有名称、类型和范围

setting.missing
the setting {setting!r} is missing
缺少设置“{setting}”
set it
请填写该设置

setting.of_host
{setting!r} is for a host: the guest has no use for it
“{setting}”用于数据提供方，任务发起方不适用
set it in the settings of that party
请在该参与方的设置中填写

setting.of_prediction
a prediction has no settings of its own
预测任务没有自己的设置
leave them out: those of the training hold
请去掉：沿用训练时的设置

setting.stranger
it has settings for {party}, which is no party
其中有 {party} 的设置，但没有该参与方
correct the name of the party
请更正参与方名称

setting.unknown
{component} has no setting {setting!r}
{component} 没有设置“{setting}”
it has: {known}
可用设置：{known}

task.name
{name!r} is no name
“{name}”不是有效的任务名
use lower-case letters, digits and _, beginning with a letter
请使用小写字母、数字和 _，以字母开头
""")
