"""The catalogue of errors: what each code means and what to do, in English and Chinese, and its HTTP status.

Nothing else reaches a user. A fault adds the cause in this case, and may add a remedy of its own.
"""

from typing import NamedTuple

from hanse.core.faults import Fault


class Entry(NamedTuple):
    """An error in words for people: `text` says what it is, `advice` what to do; both have `en` and `zh`."""

    status: int
    text: dict[str, str]
    advice: dict[str, str]


def describe(code: str) -> Entry:
    """Return the entry of a code; one of another release is described as a failure of the node."""
    return CATALOGUE.get(code, CATALOGUE["node.failed"])


def advise(fault: Fault) -> str:
    """Return what to do about a fault: its own remedy, or in English what its code always says."""
    return fault.remedy or describe(fault.code).advice["en"]


def _read(catalogue: str) -> dict[str, Entry]:
    """Read blocks of five lines: status and code, then text and advice, each in English and Chinese."""
    blocks = (block.splitlines() for block in catalogue.strip().split("\n\n"))
    entries = {}
    for head, text_en, text_zh, advice_en, advice_zh in blocks:
        status, _, code = head.partition(" ")
        entries[code] = Entry(int(status), {"en": text_en, "zh": text_zh}, {"en": advice_en, "zh": advice_zh})
    return entries


CATALOGUE = _read("""
403 access.denied
This is not permitted.
没有权限执行此操作。
Ask an administrator for the permission, or have somebody do it who has it.
请向管理员申请权限，或由有权限的人员操作。

403 address.refused
This node may not dial that address.
本节点不允许连接该地址。
If the address is right, the node's owner adds it to `outbound_allow` in node.toml.
若地址无误，请由节点所有者将其加入 node.toml 的 `outbound_allow`。

422 address.unknown
The host name has no address.
主机名无法解析为地址。
Check the name as the node's machine sees it.
请在节点所在机器上检查该主机名。

409 application.answered
The application has been answered, or withdrawn.
该申请已被答复或撤回。
Nothing needs to be done; make another one if more is wanted.
无需处理；如需更多，请另行申请。

429 application.too_many
Too many applications of one partner are open.
同一合作方的待处理申请过多。
Answer or withdraw some of them first.
请先答复或撤回其中一部分。

404 application.unknown
There is no such application.
没有该申请。
`hanse application list` shows the applications of this node.
可用 `hanse application list` 查看本节点的申请。

409 approval.changed
What waits for approval has changed since it was shown.
待审批的内容在展示之后发生了变化。
Look at it again, and decide on what it is now.
请重新查看，并就当前内容作出决定。

400 approval.delegation
The right to decide cannot be handed on like this.
不能这样委托审批权。
Name another person than yourself and the one who asks, and a time that comes.
请指定自己和申请人以外的人员，以及将来的时间。

409 approval.ended
This approval is no longer awaited.
该审批已结束。
Nothing needs to be done; `hanse approval show` says how it ended.
无需处理；可用 `hanse approval show` 查看结果。

404 approval.no_delegation
There is no such delegation.
没有此委托。
`hanse approval delegations` lists those that you gave or received.
可用 `hanse approval delegations` 查看您给出或收到的委托。

403 approval.own
Nobody decides what he asked for himself.
不能审批自己的申请。
Have another person decide; handing the right on does not help.
请由其他人审批；委托也不能绕过此限制。

404 approval.unknown
There is no such approval.
没有此审批。
`hanse approval list` shows those that you may see.
可用 `hanse approval list` 查看您可见的审批。

409 approval.voted
This right to decide was used already.
该审批权已经行使过。
Another approver is needed.
需要另一位审批人。

410 artefact.damaged
A stored result is not what was written.
存储的结果与写入时不一致。
Run the task that made it again; check the disk.
请重新运行产生它的任务，并检查磁盘。

409 attempt.cancelled
The attempt was cancelled.
本次执行已被取消。
Start the job again if it is still wanted.
如仍需要，请重新启动作业。

500 attempt.failed
A party's share of a task failed.
某一参与方的任务执行失败。
Look at that party's own log of the task.
请查看该参与方自己的任务日志。

500 attempt.lost
A party's process ended without a result.
某一参与方的进程未给出结果就结束了。
It is tried again by itself; if it goes on, look at that party's memory and log.
系统会自动重试；若持续出现，请检查该方内存与日志。

507 attempt.memory
A task needs more memory than it was given.
任务所需内存超出限额。
Give the node more memory, or use fewer rows or columns.
请为节点分配更多内存，或减少行数、列数。

409 attempt.over
The attempt has ended already.
本次执行已经结束。
Nothing needs to be done: a later attempt has taken its place.
无需处理：后续执行已接替。

500 attempt.parties
The attempt's parties are not those of this node.
本次执行的参与方与本节点不符。
Start the job again; report it if it comes back.
请重新启动作业；若再次出现请反馈。

500 attempt.unstartable
The process of an attempt could not be started.
无法启动执行进程。
Check memory, process limits and disk of the node.
请检查节点的内存、进程数限制与磁盘。

413 call.too_large
A message between nodes is too large.
节点间消息过大。
Make the pipeline smaller; report it if it is not large.
请缩小流程；若流程并不大，请反馈。

429 card.too_many
A partner has published too many datasets to one project.
合作方向同一项目公布的数据集过多。
Withdraw some of them first.
请先撤下其中一部分。

404 card.unknown
No dataset of this name is published to the project.
没有向该项目公布该名称的数据集。
`hanse application cards` shows what is published.
可用 `hanse application cards` 查看已公布的数据集。

409 certificate.awaited
The node has no certificate yet.
节点尚无证书。
Have the request signed by the organisation's authority, then: hanse node certificate install FILE
请让组织的证书机构签发请求，然后执行：hanse node certificate install FILE

409 certificate.ended
The node's certificate has ended.
节点证书已过期。
Ask for a new one: hanse node certificate request, have it signed, hanse node certificate install FILE
请重新申请：hanse node certificate request，签发后执行 hanse node certificate install FILE

403 certificate.refused
A certificate was refused.
证书被拒绝。
Compare fingerprints and clocks with the other administrator.
请与对方管理员核对指纹和系统时间。

422 certificate.request
The request for a certificate cannot be used.
证书请求无法使用。
Make it anew on the node that it is for: hanse node certificate request
请在对应节点上重新生成：hanse node certificate request

409 certificate.root_elsewhere
The organisation's root key is not on this node.
组织的根密钥不在本节点上。
Ask for a certificate instead: hanse node certificate request
请改为申请证书：hanse node certificate request

422 channel.invalid
This cannot be a channel.
该通道的设置无效。
See the cause; hanse notification channel add --help shows examples.
请查看原因；示例见 hanse notification channel add --help。

409 channel.name_taken
A channel of this name exists.
已有同名通道。
Choose another name.
请换一个名称。

422 channel.secret_needed
The secret of this channel was given for another place.
该通道的密钥是为另一个地址提供的。
Give the secret again, or leave host and port as they were.
请重新提供密钥，或保持主机与端口不变。

404 channel.unknown
There is no such channel.
没有这个通道。
List them with hanse notification channel list.
请用 hanse notification channel list 查看。

422 column.categories
A column cannot be used as categories.
某列不能作为类别使用。
Leave it out, use it as numbers, or group its values into fewer.
请去掉该列、按数值使用，或将取值归并为更少的类别。

422 column.infinite
A column holds infinite values.
列中有无穷大的值。
Make them missing or finite, or leave the column out.
请改为缺失值或有限的数值，或不使用该列。

422 column.kind
A column held numbers in one job and categories in another.
某列在一个任务中是数值，在另一个任务中是类别。
Name the same columns as categorical as in the jobs before.
把与之前任务相同的列指定为类别列。

422 column.missing
A column has missing values where none may be.
某列含有不允许的缺失值。
Fill the gaps, or leave the column out.
请补全缺失值，或不使用该列。

422 column.text
A column holds text where numbers are needed.
某列是文本，而此处需要数值。
Leave it out, or encode it as numbers first.
请去掉该列，或先编码为数值。

422 column.unknown
A column is not there, or not granted.
列不存在或未获授权。
Check the name, or ask the owner to grant the column.
请检查列名，或请数据所有者授权该列。

404 component.absent
This node has no component of that name.
本节点没有该名称的组件。
See `hanse component list`.
请查看 `hanse component list`。

500 component.failed
A component stopped with an error of its own.
组件内部出错。
Look at the log of the task, and report it.
请查看任务日志并反馈。

422 component.role
A component has no part for this role.
该组件不支持此角色。
Leave this party out of the task.
请将该参与方移出此任务。

422 component.unknown
This release has no such component.
本版本没有该组件。
Check the name, or bring the nodes to one release.
请检查名称，或统一各节点版本。

503 database.away
The database server cannot be reached.
无法连接数据库服务器。
Wait for it or start it; the node goes on by itself when it is back, and nothing that was confirmed is lost.
请等待或启动数据库；恢复后节点会自动继续，已确认的内容不会丢失。

500 database.broken
The node's database is damaged, or is no database.
节点数据库已损坏或不是数据库文件。
Check the disk and restore the database from a backup.
请检查磁盘，并从备份恢复数据库。

503 database.busy
The database is busy.
数据库繁忙。
Try again; if it goes on, the disk is too slow or stalled.
请重试；若持续出现，可能是磁盘过慢或卡住。

507 database.full
There is no room left on the disk.
磁盘空间不足。
Make room in the node's directory, then try again; nothing that was confirmed is lost.
请清理节点目录所在磁盘后重试；已确认的内容不会丢失。

500 database.newer
A newer release has worked with this database.
该数据库已被更新的版本使用过。
Start that release, or restore the backup from before the upgrade.
请启动对应的新版本，或恢复升级前的备份。

500 database.readonly
The database may not be written.
数据库不可写。
Check who owns the node's directory and whether the disk is mounted read-only.
请检查节点目录的属主，以及磁盘是否只读挂载。

500 database.refused
The database server does not let this node work.
数据库服务器拒绝本节点的访问。
Check the address, user, password and rights in the setting `database`.
请检查设置项 `database` 中的地址、用户、密码与权限。

500 database.too_old
The database software is too old.
数据库软件版本过旧。
Use a Python whose SQLite is 3.35 or newer, or PostgreSQL 13 or newer.
请使用自带 SQLite 3.35 或更新版本的 Python，或 PostgreSQL 13 及以上版本。

500 database.unopened
The database cannot be opened.
无法打开数据库。
Check that the node's directory exists and belongs to the user who runs the node.
请确认节点目录存在且属于运行节点的用户。

422 dataset.absent
The file is not there.
文件不存在。
Check the path.
请检查路径。

422 dataset.archive
The archive cannot be used.
压缩文件不可用。
Pack exactly one CSV or Parquet file, without a password.
请仅打包一个 CSV 或 Parquet 文件，且不加密码。

413 dataset.bomb
The file unpacks to more than is allowed.
文件解压后超过允许的大小。
Unpack it yourself and register what is in it.
请自行解压后登记其中的文件。

422 dataset.column_type
A column is neither numbers nor text.
某列既不是数值也不是文本。
Leave the column out of the file, or convert it.
请从文件中去掉该列，或转换其类型。

422 dataset.columns
The dataset has no such column.
数据集没有该列。
Name columns of its schema.
请填写数据集中存在的列。

409 dataset.consequences
What deleting the dataset takes with it has changed.
删除该数据集的影响已发生变化。
Look at the consequences again, then confirm them.
请重新查看影响范围后再确认。

422 dataset.damaged
The file is damaged or incomplete.
文件损坏或不完整。
Export it again.
请重新导出。

409 dataset.differs
A dataset of this name has other columns.
同名数据集的列不同。
Register the file under another name: grants hold for the columns that were agreed.
请换一个名称注册：授权只对约定的列有效。

422 dataset.empty
The file has no rows.
文件没有数据行。
Export the data again.
请重新导出数据。

422 dataset.encoding
The file is not in UTF-8.
文件不是 UTF-8 编码。
Save it as UTF-8.
请另存为 UTF-8 编码。

422 dataset.format
The file is of a format that is not read.
不支持该文件格式。
Save it as CSV (UTF-8) or Parquet.
请另存为 CSV（UTF-8）或 Parquet。

422 dataset.header
The header of the file is not usable.
文件表头不可用。
Give each column one name of its own in the first row.
请在第一行为每列写一个唯一的名称。

422 dataset.id_column
The id column is not in the file.
文件中没有指定的标识列。
Name a column of the file.
请填写文件中存在的列名。

422 dataset.id_duplicate
An id occurs more than once.
标识重复。
Keep one row for each id; ids are compared without case and spaces.
每个标识只保留一行；比较时忽略大小写与空格。

422 dataset.id_long
An id is too long.
标识过长。
Check that the id column is the right one.
请确认标识列是否正确。

422 dataset.id_missing
The id column, or an id, is missing.
缺少标识列或存在空标识。
Name a column of the file as id, and fill empty ids or remove their rows.
请指定文件中的标识列，并补全或删除空标识所在行。

422 dataset.id_type
The id column cannot be read as ids.
标识列类型不可用。
Export the ids as text.
请将标识导出为文本。

500 dataset.ingest
The file could not be read to its end.
文件未能读完。
See the node's log; give the node more memory if the file is large.
请查看节点日志；文件较大时请增加内存。

422 dataset.label_column
The label column is not usable.
标签列不可用。
Name a column of the file that is not the id.
请指定文件中一个非标识列。

422 dataset.label_missing
A label is missing.
存在缺失的标签。
Fill it, or remove these rows.
请补全标签，或删除这些行。

422 dataset.label_type
The label is not a number.
标签不是数值。
Encode the label as numbers, two classes as 0 and 1.
请将标签编码为数值，二分类用 0 和 1。

507 dataset.memory
The file does not fit into the memory given.
内存不足以读取该文件。
Give the node more memory.
请为节点分配更多内存。

409 dataset.newest
The newest version of a dataset cannot be retired.
不能停用数据集的最新版本。
Refresh the dataset first, or delete it.
请先刷新数据集，或删除整个数据集。

409 dataset.no_source
The source of the dataset is not there to be read again.
数据集的来源无法再次读取。
Name a file, or upload one.
请指定文件，或重新上传。

404 dataset.no_version
The dataset has no such version.
该数据集没有此版本。
List its versions.
请查看数据集的版本列表。

422 dataset.not_finite
A number is not finite.
存在非有限数值。
Leave a missing value empty, and correct NaN and infinities.
缺失值请留空，并更正 NaN 与无穷大。

422 dataset.path
The node cannot read this path.
节点无法读取该路径。
Give the whole path of a file as the node's machine sees it, readable by the node's user.
请填写节点机器上的完整文件路径，并允许节点用户读取。

422 dataset.ragged
A line has more or fewer cells than the header.
某行的列数与表头不一致。
Correct the line, or export the data again.
请更正该行，或重新导出数据。

422 dataset.sheet
The sheet cannot be read.
无法读取该工作表。
Name a sheet of the workbook, with a header in its first row.
请指定工作簿中存在且首行为表头的工作表。

404 dataset.unknown
There is no such dataset.
没有该数据集。
`hanse dataset list` shows the datasets of this node.
可用 `hanse dataset list` 查看本节点的数据集。

422 dataset.unnamed
A party names no dataset in a task.
某一参与方在任务中未指定数据集。
Set `dataset` for this party in the pipeline.
请在流程中为该参与方设置 `dataset`。

422 dataset.unreadable
The file cannot be read.
文件无法读取。
Check the file and who may read it.
请检查文件及读取权限。

422 demo.disjoint
The files have no people in common.
各文件没有共同的样本。
Bring files about the same people.
请提供关于同一批人的文件。

500 demo.node
A node of the demonstration did not start.
演示节点未能启动。
Run it alone to see more: hanse node up
请单独运行以查看详情：hanse node up

422 demo.settings
The demonstration cannot run with these settings.
演示无法使用这些设置。
See hanse demo --help.
请参阅 hanse demo --help。

500 demo.unequal
Scores differ where they may not.
本应一致的评分出现差异。
Please report it.
请反馈此问题。

409 derived.invalid
The derived dataset may no longer be used.
该派生数据集已不可使用。
Make it again from data that is granted now.
请用当前已授权的数据重新生成。

409 derived.name_taken
A derived dataset or a dataset has this name.
该名称已被数据集或派生数据集使用。
Choose another name.
请换一个名称。

422 derived.source
This output cannot be kept as a derived dataset.
该输出无法保存为派生数据集。
Choose a table that a succeeded task of a job made from registered datasets.
请选择作业中已成功的任务由已登记数据集产生的表。

404 derived.unknown
There is no such derived dataset.
没有该派生数据集。
`hanse derived list` shows those of this node; each party saves its own part.
可用 `hanse derived list` 查看；各参与方需各自保存自己的部分。

403 disclosure.limit
The limit of what a dataset may disclose to one guest is reached.
该数据集对某一发起方的披露已达上限。
Train fewer or shallower trees with fewer bins, or ask the owner for a higher limit.
请减少树的数量、深度或分箱数，或请所有者提高上限。

500 disclosure.uncounted
Answers could not be counted, so that none was given.
无法计数，因此未给出应答。
Run the job again; see the node's log if it comes back.
请重新运行作业；若再次出现请查看节点日志。

429 doctor.busy
Other links are being checked.
正在检查其他链路。
Try again in half a minute.
请在半分钟后重试。

422 evaluation.empty
There are no rows to judge.
没有可评估的行。
Score some rows first.
请先产生评分结果。

422 evaluation.label
The labels do not fit the objective.
标签与评估目标不符。
Give labels 0 and 1, or set the objective to regression.
请提供 0 和 1 的标签，或将目标设为回归。

422 evaluation.missing
Labels or scores are missing.
缺少标签或评分。
Judge rows that have both.
请评估两者齐全的行。

422 evaluation.one_class
All labels are of one class.
标签只有一个类别。
Judge rows of both classes.
请评估包含两个类别的数据。

422 evaluation.score
The scores do not fit the objective.
评分与评估目标不符。
Give scores between 0 and 1, or set the objective to regression.
请提供 0 到 1 之间的评分，或将目标设为回归。

422 file.unreadable
A file cannot be read from here.
无法从此处读取文件。
Run the command on the node's machine, as the user that the node runs as.
请在节点所在机器上以节点的运行用户执行该命令。

422 file.unwritable
The file cannot be written.
无法写入文件。
Choose a file name that ends in .csv or .parquet, in a folder that may be written to.
请选择可写目录中以 .csv 或 .parquet 结尾的文件名。

409 fingerprint.differs
The fingerprint is not the one that this side sees.
指纹与本方所见不一致。
Go on only when both administrators read the same; otherwise somebody may sit between.
仅当双方管理员读到相同指纹时才继续；否则可能有人冒充。

422 fingerprint.unreadable
This is no fingerprint.
这不是有效的指纹。
Give eight groups of four characters 0-9 a-f.
请输入八组、每组四个 0-9 a-f 字符。

422 grant.clause
A clause of the grant is not as it must be.
授权条款填写有误。
Correct what is named; the guide to grants lists the clauses.
请更正所指出的条款；授权指南列有全部条款。

422 grant.columns
The dataset does not have these columns.
数据集没有这些列。
`hanse dataset list` shows the columns that it has.
可用 `hanse dataset list` 查看现有列。

403 grant.component
The grant does not allow this component.
授权不允许使用该组件。
Use a component that is allowed, or ask the owner for this one: hanse application ask
请使用被允许的组件，或向所有者申请：hanse application ask

409 grant.exists
The dataset is granted to this project already.
数据集已授权给该项目。
Change that grant: hanse grant change
如需更改，请使用：hanse grant change

403 grant.group
A group is smaller than the grant allows.
分组人数低于授权要求的下限。
Use fewer, larger groups, or ask the owner for a smaller least group.
请减少分组使其变大，或向所有者申请降低下限。

403 grant.guest
The grant is not for the organisation that asks.
该授权不适用于发起方机构。
Ask the owner to name this organisation in the grant.
请所有者在授权中加入该机构。

403 grant.intersection
Fewer ids are shared than the grant demands.
共有标识数量低于授权要求的下限。
Use larger tables, set `minimum` as the grant demands, or ask the owner for less.
请使用更大的数据表，按授权要求设置 `minimum`，或向所有者申请降低下限。

422 grant.limit
This is no disclosure limit.
披露上限无效。
Give a positive number; 0.1 is usual.
请填写正数；通常为 0.1。

403 grant.missing
The dataset is not granted to this project.
数据集未授权给该项目。
Its owner grants it: hanse grant add
请由所有者授权：hanse grant add

403 grant.over
The grant has ended.
授权已到期。
Its owner changes it or gives another.
请由所有者变更或重新授权。

422 grant.past
The grant would have ended before it began.
授权期限早于当前时间。
Give a date in the future.
请填写将来的日期。

403 grant.rate
The grant is used as often as it allows for now.
授权在当前时段内的使用次数已达上限。
Wait until the window has passed, or ask the owner for a higher rate.
请等待时段结束，或向所有者申请提高频率。

409 grant.revoked
The grant has been revoked already.
授权已被撤销。
Give another grant.
请重新授权。

429 grant.too_many
A partner has granted too much to one project.
合作方对同一项目的授权过多。
Use another project, or change fewer grants.
请使用其他项目，或减少授权的变更次数。

404 grant.unknown
There is no such grant.
没有该授权。
`hanse grant list` shows the grants of this node.
可用 `hanse grant list` 查看本节点的授权。

403 grant.uses
The grant is used up.
授权的使用次数已用完。
Ask the owner for more uses: hanse application ask
请向所有者申请更多次数：hanse application ask

422 group.invalid
The groups of a ranking cannot be used.
排序分组不可用。
Name the column that says which rows are ranked together, and fill its gaps.
请指定标明同组排序的列，并填补其缺失值。

409 group.name_taken
A group has that name already.
已有同名用户组。
Choose another name: hanse group list.
请换一个名称：hanse group list。

404 group.unknown
There is no such group.
没有这个用户组。
List them with hanse group list.
请用 hanse group list 查看。

409 hint.exhausted
The prepared answers of one job are used up.
单个作业可用的应答次数已用尽。
Train fewer trees in one job.
请在单个作业中减少树的数量。

422 hint.too_large
The encrypted set-up of so many cells would be too large.
这么多单元的加密准备数据过大。
Have the hosts grant fewer columns, or use fewer bins.
请数据提供方授权更少的列，或使用更少的分箱。

422 input.kind
An input is of another kind than its port.
输入类型与端口不符。
Connect an output of the right kind.
请连接类型正确的输出。

422 input.missing
An input is not connected.
输入未连接。
Connect it.
请连接该输入。

500 internal
The command made a mistake.
命令内部出错。
Please report it with the command and its output.
请连同命令及其输出一并反馈。

422 invitation.code
This is no invitation, or not all of it.
邀请码无效或不完整。
Copy the whole code again.
请重新完整复制邀请码。

422 invitation.lifetime
An invitation cannot be valid for that long.
邀请的有效期过长。
Choose a shorter time, a week at most.
请缩短有效期，最长一周。

409 invitation.too_many
Too many invitations are open.
未使用的邀请过多。
Withdraw some of them: `hanse member invitations`.
请撤回部分邀请：`hanse member invitations`。

404 invitation.unknown
There is no such invitation.
没有该邀请。
`hanse member invitations` shows the invitations.
可用 `hanse member invitations` 查看邀请。

409 invitation.used
The invitation has been used.
邀请已被使用。
Confirm the organisation that came with it, or revoke it.
请确认使用该邀请的组织，或将其吊销。

409 job.consequences
What deleting the job takes with it has changed.
删除该作业的影响已发生变化。
Look at the consequences again, then confirm them.
请重新查看影响范围后再确认。

409 job.ended
The job has ended.
作业已结束。
`hanse job show` says how.
可用 `hanse job show` 查看结果。

422 job.limit
The job asks for more time than this node gives.
作业要求的时间超过本节点的上限。
Ask for less time, or have the operator raise the node's limit.
请缩短时间，或请运维人员提高节点上限。

404 job.no_log
There is no log of this attempt at this node.
本节点没有该次执行的日志。
Each party has the logs of its own attempts; those of deleted jobs are gone.
各参与方只保留自己的执行日志；已删除作业的日志不再保留。

404 job.no_output
This party has no such output of the task.
本方没有该任务的此项输出。
Wait until the task has succeeded, or ask the party that has it.
请等待任务成功，或向持有该输出的参与方查询。

409 job.no_table
This output is no table.
该输出不是数据表。
`hanse job report` shows a report; `hanse model show` says where a model lies.
报告可用 `hanse job report` 查看；模型位置可用 `hanse model show` 查看。

403 job.not_approved
This party's approvers have not agreed to the job as it is now.
本方审批人尚未同意当前内容的作业。
Have an approver decide; a job that was changed needs a new approval.
请由审批人作出决定；更改后的作业需要重新审批。

403 job.not_yours
The job has no part for this organisation.
该作业与本组织无关。
Check the parties of the pipeline.
请检查流程中的参与方。

409 job.open
The job has not ended.
作业尚未结束。
Wait until it has, or cancel it: `hanse job cancel`
请等待其结束，或用 `hanse job cancel` 取消。

422 job.parties
The job's parties do not fit its project.
作业的参与方与项目不符。
Name organisations that have accepted the project; the guest is one's own.
请填写已接受该项目的组织；发起方应为本组织。

422 job.priority
This is no priority of a job.
作业优先级无效。
Say 0 (lowest) to 9 (highest); 5 is normal.
请填写 0（最低）到 9（最高）；5 为普通。

422 job.rejected
A party cannot take part.
有参与方无法参加。
Solve what it says, then start the job again.
请解决其提出的问题后重新启动作业。

504 job.time_limit
The job took longer than it may.
作业运行时间超过限制。
Use fewer rows or rounds, or start it with a longer time limit.
请减少行数或轮数，或以更长的时间限制启动。

429 job.too_many
The guest has too many jobs open with this organisation.
发起方在该组织的未结束作业过多。
Wait until some have ended, or cancel some: `hanse job cancel`
请等待部分作业结束，或用 `hanse job cancel` 取消一些。

409 job.unfinished
Only a job that ended without success can be started again.
只有未成功结束的作业才能重试。
Wait until it has ended, or cancel it: `hanse job cancel`
请等待其结束，或用 `hanse job cancel` 取消。

404 job.unknown
There is no such job.
没有该作业。
`hanse job list` shows the jobs of this node.
可用 `hanse job list` 查看本节点的作业。

404 job.unknown_task
The job has no such task.
该作业没有此任务。
`hanse job show` lists its tasks.
可用 `hanse job show` 查看其任务。

403 key.address
The access key may not be used from this address.
该访问密钥不允许从此地址使用。
Use it from where it is meant for, or make another one with that network.
请在允许的地址使用，或另建一个包含该网段的密钥。

429 key.rate
The access key is used too often.
访问密钥的使用过于频繁。
Wait as long as the answer says, or make a key with a higher rate.
请按响应中的时间等待，或创建频率上限更高的密钥。

401 key.refused
The access key was refused.
访问密钥被拒绝。
Make another one: hanse key add.
请重新创建：hanse key add。

422 key.terms
An access key cannot be made like this.
无法按此条件创建访问密钥。
Correct what the cause names.
请按原因修改。

404 key.unknown
There is no such access key.
没有这个访问密钥。
List them with hanse key list.
请用 hanse key list 查看。

422 label.absent
The table has no label.
该表没有标签列。
Register the data with its label column.
请在注册数据时指定标签列。

422 label.classes
The classes of the label are not those that were expected.
标签的类别与预期不符。
Set classes to the number of different labels, and use the same labels throughout.
请将类别数设为标签的不同取值数，并在各处使用同样的标签。

422 label.invalid
The labels cannot be used.
标签不可用。
Give every row a label that suits the objective, or choose another objective.
请为每行提供符合目标函数的标签，或选择其他目标函数。

422 label.one_class
All labels are of one class.
标签只有一个类别。
Use rows of both classes.
请使用包含两个类别的数据。

502 link.broken
The link to a party broke its rules.
与某一参与方的连接违反协议。
Run the job again; bring both nodes to one release.
请重新运行作业，并统一双方版本。

401 login.code
A code of the authenticator is needed.
需要身份验证器的验证码。
Log in again with the code that it shows now, or with a recovery code.
请用当前验证码或恢复码重新登录。

401 login.refused
The login was refused.
登录被拒绝。
Check name, password and code; an administrator can send a one-time link.
请检查用户名、密码和验证码；管理员可以发送一次性链接。

429 login.wait
There were too many failed logins.
登录失败次数过多。
Wait as long as the answer says; an administrator can end the waiting.
请按响应中的时间等待；管理员可以解除等待。

409 member.kept
The organisation was not revoked: it was not confirmed.
未吊销该组织：未得到确认。
Say so with --yes, or answer yes.
请使用 --yes 参数，或在提示时回答“是”。

409 member.name_taken
The name of the organisation is taken.
组织名称已被占用。
One of the two organisations needs another name: pipelines name organisations.
其中一方需更名：流程按名称引用组织。

409 member.revoked
A party of the job is trusted no longer.
作业的一个参与方已被吊销。
Only a new pairing lets it in again: `hanse invite`.
只有重新配对才能恢复：`hanse invite`。

422 member.self
An organisation cannot join itself.
组织不能与自身配对。
Give the invitation to another organisation.
请将邀请码交给其他组织。

409 member.state
The member is not in the state for this.
成员当前状态不允许此操作。
`hanse member list` shows how each member stands.
可用 `hanse member list` 查看各成员状态。

409 member.suspended
A party of the job was suspended.
作业的一个参与方被暂停。
Ask its partners why; run the job again when it has been resumed.
请向其合作方了解原因，恢复后重新运行作业。

404 member.unknown
There is no such member.
没有该成员。
`hanse member list` shows the members.
可用 `hanse member list` 查看成员。

422 model.differs
The model does not fit this training.
该模型不适合此次训练。
Train with the objective and classes of the model, or without it.
请使用与模型相同的目标和类别，或不以它为起点。

422 model.features
The columns are not those of the model.
列与模型的列不一致。
Bring the columns that the model was trained on, of the same kinds.
请提供训练该模型时所用的列，且类型相同。

422 model.other
The model is of another component or party.
该模型属于其他组件或参与方。
Choose the model of this component and party.
请选择该组件与参与方的模型。

422 model.other_parties
The model was trained with other organisations.
该模型由其他组织参与训练。
Run the pipeline with the same organisations in the same roles.
请让相同组织以相同角色运行流程。

422 model.parties
The model was trained with other parties.
该模型由其他参与方训练。
Score with the same parties in the same roles.
请用相同参与方与角色进行预测。

404 model.unknown
There is no such model.
没有该模型。
`hanse model list` shows the models of this node.
可用 `hanse model list` 查看本节点的模型。

409 model.version
The model is of another release.
该模型来自其他版本。
Fit it again with this release.
请用当前版本重新训练。

500 node.directory
The node's directory cannot be used.
节点目录不可用。
Give a directory that the user who runs the node may write: --directory
请指定运行用户可写的目录：--directory

503 node.down
The node does not answer.
节点没有响应。
Start it: hanse node up
请启动节点：hanse node up

500 node.failed
The node made a mistake.
节点内部出错。
Look up the number of the request in the node's log, and report it.
请按请求编号查看节点日志并反馈。

403 node.forbidden
This user may not speak to the node.
当前用户无权访问该节点。
Run the command as the user who runs the node.
请以运行节点的用户执行命令。

500 node.keys
The node's keys cannot be used.
节点密钥不可用。
Restore `keys` from a backup, or start a new organisation in another directory.
请从备份恢复 `keys`，或在其他目录新建组织。

500 node.port
The node cannot listen on its port.
节点无法监听端口。
Choose an address of this machine and a port above 1023.
请选择本机地址和大于 1023 的端口。

409 node.port_taken
The port is taken.
端口已被占用。
Choose another port, or 0 for any free one: --party-port, --rest-port
请更换端口，或用 0 自动选择：--party-port、--rest-port

409 node.running
The node is running already.
该节点已在运行。
Use the running node, stop it first, or stand by for it: hanse node up --standby
请使用运行中的节点、先将其停止，或待命接替：hanse node up --standby

504 node.slow
The node did not answer in time.
节点响应超时。
See the node's log.
请查看节点日志。

409 node.superseded
This process may no longer be the one that serves the node.
本进程可能已不再是该节点的服务进程。
Start it again with --standby: it goes on as soon as nobody else serves. See whether the database can be reached.
请用 --standby 重新启动：无其他进程服务时即接替。并检查数据库是否可达。

502 node.unexpected
The node's answer is not understood.
无法理解节点的应答。
Bring the node and the command to one release.
请统一节点与命令的版本。

422 oidc.issuer
This cannot be a provider's address.
该地址不能作为身份提供方的地址。
Give the issuer as its provider writes it: https, a host, no user and no fragment.
请按身份提供方的写法填写 issuer：https 开头，含主机名，不含用户名与片段。

409 oidc.linked
This person of the provider is linked to a user.
身份提供方的该人员已关联到某个用户。
Look at `hanse user links` and part them first.
请查看 `hanse user links`，先解除原有关联。

409 oidc.name_taken
A provider of this name or issuer exists.
同名或同一签发者的身份提供方已存在。
Change that one, or choose another name.
请修改已有的提供方，或换一个名称。

502 oidc.provider
The identity provider does not answer as it should.
身份提供方的响应不正确。
Try again; an administrator checks the provider.
请重试；管理员可用 `hanse provider check` 检查。

401 oidc.refused
The sign-in was refused.
登录被拒绝。
Begin again; if it happens twice, tell an administrator the request's id.
请重新开始登录；若再次发生，请将请求编号告知管理员。

404 oidc.unknown
There is no such provider or link.
没有该身份提供方或关联。
Look at `hanse provider list`.
请查看 `hanse provider list`。

403 oidc.unlinked
The provider knows you, and no user of this node is linked to you.
身份提供方认识您，但本节点没有与您关联的用户。
Ask an administrator to link your account: hanse user link.
请联系管理员关联您的账号：hanse user link。

422 pair.address
This is no address.
地址无效。
Write host:port.
请写成 主机:端口。

429 pair.busy
Too many organisations are joining at once.
同时配对的组织过多。
Try again in a moment.
请稍后重试。

502 pair.unreadable
What answers there is no node.
该地址的应答方不是节点。
Check the address with the inviter's administrator.
请与邀请方管理员核对地址。

502 pairing.answer
The inviter's answer is not believed.
邀请方的应答不可信。
Ask for a new invitation; bring both nodes to one release.
请索取新的邀请码，并统一双方版本。

409 pairing.mismatch
The fingerprints do not match.
指纹不一致。
Do not go on before both administrators read the same: somebody may sit between.
在双方管理员读到相同指纹之前请勿继续：可能有人冒充。

403 pairing.refused
The invitation is not valid.
邀请无效。
Ask the inviter's administrator for a new one: each is good for one use within 24 hours.
请向邀请方管理员索取新的邀请码：每个仅在 24 小时内可用一次。

403 pairing.stranger
Who answers at the inviter's address is not the inviter.
该地址的应答方不是邀请方。
Do not go on; check the address with the inviter's administrator.
请勿继续；请与邀请方管理员核对地址。

409 pairing.unconfirmed
The fingerprint was not confirmed.
指纹未确认。
Compare it with the other administrator, then confirm.
请与对方管理员核对后再确认。

403 password.change_needed
A new password has to be chosen first.
需要先设置新密码。
Change it: hanse user password.
请修改密码：hanse user password。

422 password.weak
The password is not accepted.
密码不符合要求。
Choose a longer one that nobody would guess; there is no rule about its characters.
请选择更长、不易被猜到的密码；对字符种类没有要求。

504 peer.away
A party's node has been away for too long.
某一参与方的节点离线过久。
See that its node runs and can be reached, then run the job again.
请确认其节点运行且可达，然后重新运行作业。

503 peer.busy
The other node is busy.
对方节点繁忙。
Try again in a moment.
请稍后重试。

502 peer.failed
The other node made a mistake.
对方节点内部出错。
Ask its administrator to look at its log.
请联系对方管理员查看日志。

422 peer.is_self
An organisation is no peer of itself.
组织不能成为自身的对端。
Give the invitation to another organisation.
请将邀请码交给其他组织。

502 peer.lost
A party's side of the task has ended.
某一参与方的任务已结束。
See that party's own log.
请查看该参与方自己的日志。

403 peer.refused
The other node does not take our messages.
对方节点拒收消息。
Ask its administrator: the job may have ended there, or this organisation be suspended.
请联系对方管理员：作业可能已在对方结束，或本组织被暂停。

502 peer.restarted
A party's node was restarted.
某一参与方的节点已重启。
The task is tried again by itself.
任务会自动重试。

403 peer.root_differs
The root certificate is not that organisation's.
根证书与该组织不符。
Pair again, and compare fingerprints.
请重新配对并核对指纹。

422 peer.root_unreadable
The root certificate cannot be read.
根证书无法读取。
Pair again.
请重新配对。

504 peer.stalled
A party neither answers nor makes progress.
某一参与方既无响应也无进展。
Ask its administrator what its node is doing, then run the job again.
请联系对方管理员了解节点状况，然后重新运行作业。

403 peer.suspended
The other organisation is suspended.
对方组织已被暂停。
Resume it if it should take part: hanse member resume
如需其参与，请恢复：hanse member resume

403 peer.unknown
The other side does not know this organisation.
对方不认识本组织。
Pair with it, or wait until its administrator has confirmed.
请先配对，或等待对方管理员确认。

502 peer.unreachable
The other node cannot be reached.
无法连接对方节点。
See that it runs, that its address is right and that no firewall is between.
请确认其正在运行、地址正确且无防火墙阻挡。

502 peer.unreadable
A message of the other node is not understood.
无法理解对方节点的消息。
Bring both nodes to one release.
请统一双方版本。

409 pipeline.archived
The pipeline is archived.
流程已归档。
Restore it first: `hanse pipeline restore`.
请先恢复：`hanse pipeline restore`。

409 pipeline.changed
Somebody has saved a later version of the pipeline.
该流程已有更新的版本。
Look at what changed (`hanse pipeline diff`), then save on top of the latest version.
请先查看差异（`hanse pipeline diff`），再基于最新版本保存。

422 pipeline.invalid
The pipeline is not valid.
流程无效。
Correct what the cause names.
请按原因更正。

409 pipeline.name_taken
The project has a pipeline of that name.
项目中已有同名流程。
Choose another name, or save a new version of that pipeline.
请改用其他名称，或保存为该流程的新版本。

404 pipeline.no_task
The pipeline has no such task.
该流程没有此任务。
`hanse pipeline show` lists its tasks.
可用 `hanse pipeline show` 查看其任务。

422 pipeline.project
A pipeline stays in its project.
流程不能更换项目。
Save it as a new pipeline of the other project.
请在另一项目中另存为新流程。

404 pipeline.unknown
There is no such pipeline or version.
没有该流程或版本。
See `hanse pipeline list`.
请查看 `hanse pipeline list`。

422 pipeline.unreadable
The file is no pipeline.
该文件不是流程。
Write it as JSON with name, project, parties and tasks.
请写成包含 name、project、parties、tasks 的 JSON。

503 planner.away
The planner is not there.
规划进程不在线。
It starts again by itself; try again in a moment.
它会自动重启；请稍后重试。

500 planner.failed
The planner made a mistake.
规划进程出错。
See log/planner.log in the node's directory, and report it.
请查看节点目录中的 log/planner.log 并反馈。

500 planner.question
The planner does not know the question.
规划进程无法理解该问题。
Restart the node: its parts are of two releases.
请重启节点：其各部分版本不一致。

409 profile.budget
The privacy budget of this dataset does not cover it.
该数据集的隐私预算不足。
Choose fewer figures or a smaller epsilon; what was told before costs nothing again.
请减少所选指标或降低 epsilon；已披露过的指标再次共享不再消耗预算。

500 profile.failed
The figures of a dataset could not be found.
数据集的统计指标计算失败。
See the log of the profile on this node, then ask for it again.
请查看本节点上该分析的日志，然后重新发起分析。

422 profile.figure
This figure cannot be told of this column.
该列不能共享这一指标。
Numbers need rising edges or values, texts need values; identifiers have no histogram.
数值列需要递增的分界点或取值，文本列需要取值；标识列没有直方图。

507 profile.memory
The figures of a dataset need more memory than an attempt of this node may use.
计算数据集的统计指标所需内存超过本节点单次执行的上限。
Raise `memory_bytes` of the node, or lower `attempts`.
请提高节点的 `memory_bytes`，或降低 `attempts`。

404 profile.none
There are no figures of this version, or not yet.
该版本没有统计指标，或尚未完成。
`hanse dataset profile run` makes them.
可用 `hanse dataset profile run` 生成。

409 profile.not_offered
The dataset is not offered to this project.
该数据集未向此项目开放。
Publish its card to the project, or grant it, first.
请先向该项目发布数据集名片或授权。

409 profile.released
This figure of this version was told in another way before.
该版本的这一指标此前已以其他方式披露。
It is repeated as it was, never drawn again: leave its bins and epsilon as they were.
已披露的指标只会原样重复，不会重新加噪：请保持原有分箱与 epsilon。

409 profile.retired
This version has no rows any more.
该版本的数据已不存在。
Take a version that is not retired.
请选择未停用的版本。

409 project.ambiguous
Several projects go by this name.
多个项目同名。
Name the project by its id.
请使用项目编号。

409 project.changed
A project keeps the members with which it was founded.
项目成员自创建起不再变更。
Have its owner found a new project with the members you want.
请由所有者按所需成员新建项目。

403 project.foreign
The project belongs to others.
该项目属于其他组织。
Ask its owner.
请联系项目所有者。

409 project.left
An organisation is no longer in the project.
某一组织已不在项目中。
Ask the owner of the project; it can add the organisation again.
请联系项目发起方，可重新加入。

409 project.name_taken
A project of this name exists.
已有同名项目。
Choose another name.
请换一个名称。

403 project.not_member
The organisation is not in the project, or has not accepted it.
该组织不在项目中或尚未接受。
Its administrator accepts it: hanse project accept
请由其管理员接受：hanse project accept

409 project.owner
This is for the owner of the project alone.
此操作仅限项目发起方。
Ask the owner of the project.
请联系项目发起方。

409 project.too_many
A partner has offered too many projects.
合作方发出的项目邀请过多。
Accept or leave some of them first.
请先接受或退出部分项目。

409 project.unagreed
The project has members that you have not agreed to.
项目中有您尚未同意的成员。
Look who has come, and agree: `hanse project accept`.
请查看新成员并同意：`hanse project accept`。

404 project.unknown
There is no such project.
没有该项目。
`hanse project list` shows the projects.
可用 `hanse project list` 查看项目。

502 protocol.broken
A party broke the protocol.
某一参与方违反协议。
Ask which release it runs, then run again.
请确认其版本后重新运行。

422 psi.duplicate_ids
An id occurs twice in a table that is to be aligned.
待对齐的表中标识重复。
Keep one row for each id.
每个标识只保留一行。

422 psi.empty
The parties have no ids in common.
各方没有共同的标识。
Compare how the parties write their ids: prefixes, hashes, other numbers.
请比较各方标识的写法：前缀、哈希或不同号码。

422 psi.no_ids
A table to be aligned has no rows.
待对齐的表没有数据行。
Choose a dataset with rows.
请选择有数据的数据集。

403 psi.too_few
The parties have fewer ids in common than was agreed.
共同标识少于约定的最小数量。
Use larger tables, or agree on a smaller minimum.
请使用更大的表，或约定更小的最小值。

500 psi.unlucky
Chance has ended an intersection: two different ids got one tag, or no encoding was found.
求交因小概率事件中止：两个不同标识得到相同标签，或未能完成编码。
Run the task again.
请重新运行该任务。

409 psi_cached.layers
Too many preparations of a table stand on one another.
同一张表的增量准备次数过多。
Prepare anew, without `previous`: a new key is due as well.
请不带 `previous` 重新准备，同时更换密钥。

409 psi_cached.other_hosts
Nothing was prepared with one of the hosts.
尚未与某一数据提供方做过准备。
Use what was prepared with the same parties.
请使用与相同参与方准备的结果。

409 psi_cached.other_settings
The earlier preparation was made under other settings.
先前的准备使用了不同的参数。
Set what it had, or prepare anew without `previous`.
请使用与先前相同的参数，或不带 `previous` 重新准备。

409 psi_cached.other_table
A host's table is not the one that was prepared.
数据提供方的表与准备时的不一致。
Prepare today's table, with what was prepared before as `previous`.
请以先前的准备为 `previous`，对当前的表做增量准备。

413 psi_cached.too_many
A table has more rows than can be prepared.
表的行数超出可准备的上限。
Split the table.
请拆分该表。

409 queue.approval
A party's approvers have not decided about the job yet.
有参与方的审批人尚未对该作业作出决定。
Wait, or speak with that party's approvers; the job goes on by itself.
请等待，或联系该参与方的审批人；决定后作业会自动继续。

409 queue.away
A party's node cannot be reached.
有参与方的节点无法连接。
Wait until it is back, or ask its operator; the job goes on by itself.
请等待其恢复或联系其运维人员；恢复后作业会自动继续。

409 queue.busy
All places for tasks on this node are taken.
本节点的任务执行名额已用完。
Wait until other tasks have ended, or give the node more: `threads`, `memory_bytes`, `attempts`.
请等待其他任务结束，或增加节点的 `threads`、`memory_bytes`、`attempts`。

409 queue.full
As many jobs run on this node as may at once.
本节点同时运行的作业已达上限。
Wait until some have ended; a job of higher priority begins earlier.
请等待部分作业结束；优先级更高的作业会先开始。

409 queue.limit
The project or user has as many jobs running as it may at once.
该项目或用户同时运行的作业已达上限。
Wait until some have ended, or cancel one: `hanse job cancel`
请等待部分作业结束，或用 `hanse job cancel` 取消一个。

409 queue.quota
The project or user has begun as many jobs as it may in a day.
该项目或用户一天内启动的作业已达上限。
Wait until the day is over, or ask the operator of the node for a larger quota.
请等待一天过去，或请节点运维人员提高配额。

409 queue.unanswered
A party has not answered the proposal yet.
有参与方尚未答复该作业提议。
Wait for its answer; `hanse job watch` shows when it comes.
请等待其答复；可用 `hanse job watch` 查看。

409 registry.ambiguous
The registry lists two organisations of that name.
注册中心有两个同名组织。
Say which by its id: hanse registry show REGISTRY
请用 id 指定：hanse registry show REGISTRY

409 registry.closed
That node is no registry.
该节点不是注册中心。
Its administrator opens it: hanse registry open
请由其管理员开启：hanse registry open

422 registry.entry
An entry of the registry proves nothing.
注册中心的条目无法验证。
Have its organisation publish it again; if that does not help, ask the registry.
请由所属组织重新发布；如仍无效，请联系注册中心。

409 registry.listed
The organisation is listed with its own words.
该组织已自行登记。
Nothing has to be done: what it has signed is what members read.
无需操作：成员读到的是其自行签署的内容。

409 registry.too_many
The registry takes no more of this.
已达到注册中心的上限。
Show less, or wait until those that are open are answered.
请减少展示内容，或等待未处理的事项完成。

404 registry.unknown
This node does not read that registry.
本节点未接入该注册中心。
See which it reads: hanse registry list
请查看已接入的注册中心：hanse registry list

404 registry.unlisted
The registry does not list that organisation.
注册中心没有该组织。
See whom it lists: hanse registry show REGISTRY
请查看登记的组织：hanse registry show REGISTRY

403 request.forged
The request did not come from a page of this node.
请求并非来自本节点的页面。
Reload the page and try again.
请刷新页面后重试。

421 request.host
The request is for another host.
请求的主机名不正确。
Address the node as 127.0.0.1 or localhost.
请以 127.0.0.1 或 localhost 访问节点。

422 request.invalid
The request is not valid.
请求无效。
Correct the field that the cause names.
请更正原因中指出的字段。

405 request.method
The path does not know this method.
该路径不支持此方法。
See the API's description.
请参阅接口说明。

404 request.no_such_path
There is no such path.
路径不存在。
See the API's description.
请参阅接口说明。

401 request.token
The token is missing or wrong.
令牌缺失或错误。
Send the content of the node's file `token`: Authorization: Bearer …
请发送节点 `token` 文件的内容：Authorization: Bearer …

413 request.too_large
The request is too large.
请求过大。
Send less at once.
请减小请求内容。

409 rows.misaligned
The parties' rows are not the same.
各方的行不一致。
Align the tables with psi first.
请先用 psi 对齐各表。

422 rows.too_few
There are too few rows.
行数太少。
Give more rows, or a larger share of them.
请提供更多的行，或提高抽样比例。

413 rows.too_many
There are more rows than the component can take.
行数超出组件上限。
Use fewer rows.
请减少行数。

400 rule.limits
A limit of a rule or policy is out of its range.
规则或策略的限制超出范围。
Give a limit that the message allows.
请按提示给出允许的限制。

404 rule.unknown
There is no such rule.
没有此规则。
`hanse rule list` shows the rules in force.
可用 `hanse rule list` 查看生效的规则。

424 sample.absent
The sample data needs a package that is not installed.
示例数据所需的软件包未安装。
Install the extra `ml`, or choose another case.
请安装附加组件 `ml`，或选择其他示例。

422 schedule.invalid
The schedule cannot be read.
计划无法读取。
Correct what the cause names.
请按原因更正。

409 schedule.missed
The node did not run at that time.
当时节点未运行。
Choose what happens to missed times when you make the schedule: `--missed`.
创建计划时可用 `--missed` 选择如何处理错过的时间。

409 schedule.overlap
The job before had not ended.
上一个作业尚未结束。
Choose what happens then when you make the schedule: `--overlap`.
创建计划时可用 `--overlap` 选择处理方式。

403 schedule.owner
The owner of the schedule is disabled or gone.
计划的所有者已停用或不存在。
Enable the account and resume the schedule, or make it anew as another user.
启用该账户后恢复计划，或由其他用户重新创建。

409 schedule.paused
The schedule is paused.
计划已暂停。
Resume it first: `hanse schedule resume`.
请先恢复：`hanse schedule resume`。

404 schedule.unknown
There is no such schedule.
没有该计划。
See `hanse schedule list`.
请查看 `hanse schedule list`。

500 secrets.key
The key that seals stored secrets cannot be used.
用于封存机密的密钥无法使用。
Restore keys/secrets.key from the backup of the node's directory.
请从节点目录的备份中恢复 keys/secrets.key。

500 secrets.unreadable
A stored secret does not open.
已保存的机密无法解开。
Enter the password or key again; restore keys/secrets.key if it was replaced.
请重新输入密码或密钥；若 keys/secrets.key 被替换，请先恢复。

404 session.unknown
There is no such session.
没有这个会话。
List them with hanse session list.
请用 hanse session list 查看。

422 settings.invalid
A setting is not valid.
设置无效。
Correct the setting that the cause names.
请更正原因中指出的设置。

500 simulation.deadlock
Nobody can go on: each waits for another.
所有参与方互相等待，无法继续。
Send what the peer awaits, in its order.
请按对方等待的顺序发送。

500 simulation.unread
A message was sent and never read.
有消息发送后未被读取。
Receive it, or do not send it.
请接收该消息，或不要发送。

422 source.column_type
A column of the source is neither numbers nor text.
数据源中的某列既不是数值也不是文本。
Leave it out, or convert it, by a query.
请通过查询语句去掉或转换该列。

422 source.database
The server has no such database.
服务器上没有该数据库。
Check the database's name.
请检查数据库名称。

424 source.driver
The driver for this kind of source is not installed.
未安装此类数据源的驱动。
Install the extra that is named, then try again.
请安装提示中的扩展包后重试。

409 source.exists
A source has this name already.
已有同名数据源。
Choose another name, or change the one that is there.
请换一个名称，或修改已有的数据源。

502 source.lost
The source does not go on.
与数据源的会话中断。
Try again; look at the server's own log.
请重试，并查看数据库服务器的日志。

422 source.no_table
The source has no such table.
数据源中没有该表。
List the tables that its user sees.
请查看该用户可见的表。

422 source.objects
The objects of the store do not fit together.
存储中的对象不能合并为一张表。
Name one object, or a folder whose files have the same columns and stay as they are while they are read.
请指定单个对象，或列相同且读取期间不变的目录。

422 source.password
The source does not accept the user and password.
数据源不接受该用户名或密码。
Check both, and from where the server lets this user in.
请检查用户名与密码，以及服务器允许的来源地址。

422 source.password_again
The password has to be given again.
需要重新输入密码。
Give the password with this change.
请在修改时一并提供密码。

403 source.permission
The source's user may not read this.
数据源的用户无权读取。
Have the database's owner grant SELECT to it.
请数据库管理员授予 SELECT 权限。

422 source.query
The query cannot be run.
查询无法执行。
Give one SELECT, which changes nothing.
请提供单条只读的 SELECT 语句。

502 source.refused
The source takes no connection.
数据源拒绝连接。
Check host and port, and whether the server runs.
请检查主机、端口以及服务器是否运行。

504 source.timeout
The source does not answer in time.
数据源未在规定时间内响应。
Check host, port and firewall; ask for fewer rows.
请检查主机、端口与防火墙，或减少读取的行数。

502 source.tls
The encrypted connection to the source failed.
与数据源的加密连接失败。
Give the authority (CA) that signed the server's certificate; check the host's name in it.
请提供签发服务器证书的 CA，并核对证书中的主机名。

404 source.unknown
There is no such source.
没有该数据源。
See the sources: hanse source list.
请查看数据源列表：hanse source list。

422 source.value
A value of the source does not fit.
数据源中的某个值无法使用。
Convert the column by a query.
请通过查询语句转换该列。

422 split.too_few
There are too few rows to split.
行数过少，无法拆分。
Use more rows, or another share.
请使用更多行，或调整比例。

429 stream.too_many
Too many live streams are open.
打开的实时事件流过多。
Close some, or ask with `/v1/jobs/{id}/events`.
请关闭一些，或改用 `/v1/jobs/{id}/events` 查询。

409 template.built_in
The template comes with the product.
该模板为产品自带。
It stays. Keep one of your own beside it: `hanse template add`.
自带模板不可删除；可另存自己的模板：`hanse template add`。

422 template.invalid
The template is not valid.
模板无效。
Correct what the cause names; docs/guides/en/pipelines.md shows a template.
请按原因更正；模板示例见 docs/guides/zh/pipelines.md。

409 template.name_taken
There is a template of this name.
该名称的模板已存在。
Choose another name, or remove the other one: `hanse template remove`.
请更换名称，或删除已有的模板：`hanse template remove`。

404 template.unknown
There is no such template.
没有这个模板。
See `hanse template list`.
请查看 `hanse template list`。

422 template.values
Values of the template's blanks are missing or wrong.
模板的填空缺失或有误。
Correct every blank that the cause names; `hanse template show` says what each takes.
请更正原因中列出的各个填空；`hanse template show` 会说明各项的取值。

403 ticket.refused
The one-time link is not valid.
一次性链接无效。
Ask an administrator for another one; for the first administrator: hanse user setup-link.
请向管理员索取新的链接；首个管理员请运行 hanse user setup-link。

422 time.unreadable
This is no time.
时间无效。
Write 2026-12-31, or 2026-12-31T18:00:00Z with an offset.
请写成 2026-12-31，或带时区的 2026-12-31T18:00:00Z。

409 totp.exists
The authenticator is not in the state that this needs.
身份验证器的状态不允许此操作。
Remove the old one first, or enrol a new one.
请先移除旧的，或绑定新的。

422 totp.wrong
The authenticator's code is wrong.
身份验证器的验证码错误。
Check the clocks of the device and of the node.
请检查设备与节点的时钟。

422 upload.chunk
The chunk does not fit into the upload.
分块与上传任务不符。
Send chunks of at most 4 MiB, up to the size that was said at the beginning.
每个分块不超过 4 MiB，总长不超过开始时声明的大小。

409 upload.complete
The upload is complete already.
该上传已完成。
Register it as a dataset.
请将其登记为数据集。

422 upload.damaged
What arrived is not what was sent.
收到的内容与发送的不一致。
Send it again.
请重新发送。

409 upload.incomplete
The upload is not complete.
上传尚未完成。
Send the rest, then complete it.
请继续上传剩余部分并完成。

409 upload.offset
The chunk does not begin where the upload stopped.
分块起始位置与已接收的位置不一致。
Ask how much is there, and go on from there.
请查询已接收的字节数，并从该处继续。

429 upload.quota
You have too much uploaded that is not registered.
未登记的上传过多。
Register or remove some of it.
请先登记或删除部分上传。

413 upload.too_large
The file is too large to upload, or empty.
文件过大或为空，无法上传。
Put it on the node's machine, below a folder of the setting `data_paths`.
请将文件放到节点机器上 `data_paths` 所列的目录中。

404 upload.unknown
There is no such upload.
没有该上传任务。
Begin a new one; uploads that nobody touches are removed after a week.
请重新上传；一周未继续的上传会被清除。

409 user.last_administrator
The last administrator cannot be removed.
不能移除最后一位管理员。
Give somebody else the group administrator first.
请先把 administrator 组授予其他人。

409 user.name_taken
A user has that name already.
已有同名用户。
Choose another name: hanse user list.
请换一个名称：hanse user list。

404 user.unknown
There is no such user.
没有这个用户。
List them with hanse user list.
请用 hanse user list 查看。

422 valid.absent
Validation rows are needed.
缺少验证数据。
Connect them to the input, or switch early stopping off.
请连接验证数据，或关闭提前停止。

409 version.mismatch
The parties run different versions.
各参与方版本不一致。
Bring all nodes to one release, then run the job again.
请统一各节点版本后重新运行作业。

422 weight.invalid
The sample weights cannot be used.
样本权重不可用。
Give every row a weight of 0 or more, and some rows more than 0.
请为每行提供不小于 0 的权重，且至少有一行大于 0。
""")
