"""Every kind of notification: who may read of it, whether it is worth an e-mail, and its words in both languages.

A title holds no word of the case: it is all that leaves the house by e-mail and chat. The body is shown to those who
are logged in and sent to the house's own webhooks; its `{words}` are filled in where it is read.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from hanse.control.access.permissions import Permission

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
Kind = Literal[
    "application.received",
    "approval.decided",
    "approval.reminder",
    "approval.requested",
    "audit.failing",
    "certificate.expiring",
    "dataset.drifted",
    "grant.ending",
    "job.ended",
    "job.failed",
    "member.pending",
    "profile.failed",
    "schedule.missed",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Wording(NamedTuple):
    """`reads` is the permission that a key needs to list it; `mailed` whether it is sent by e-mail unless unwished."""

    reads: Permission
    mailed: bool
    title: Mapping[Language, str]
    body: Mapping[Language, str]


class Text(NamedTuple):
    """A notification in one language."""

    title: str
    body: str


def _wording(reads: Permission, mailed: bool, en: tuple[str, str], zh: tuple[str, str]) -> Wording:
    return Wording(reads, mailed, {"en": en[0], "zh": zh[0]}, {"en": en[1], "zh": zh[1]})


CATALOGUE: Mapping[Kind, Wording] = {
    "application.received": _wording(
        Permission.GRANTS_READ,
        True,
        ("A partner asks for data", "{partner} asks for the dataset {dataset}."),
        ("合作方申请使用数据", "{partner} 申请使用数据集 {dataset}。"),
    ),
    "approval.decided": _wording(
        Permission.APPROVALS_READ,
        False,
        ("A request was decided", "{title}: {state}. {reason}"),
        ("有一项审批已有结果", "{title}：{state}。{reason}"),
    ),
    "approval.reminder": _wording(
        Permission.APPROVALS_READ,
        True,
        ("A request still waits for a decision", "{title} still waits for a decision ({kind})."),
        ("有一项审批仍在等待决定", "{title} 仍在等待决定（{kind}）。"),
    ),
    "approval.requested": _wording(
        Permission.APPROVALS_READ,
        True,
        ("A request waits for a decision", "{title} waits for a decision ({kind})."),
        ("有一项审批等待决定", "{title} 等待决定（{kind}）。"),
    ),
    "audit.failing": _wording(
        Permission.AUDIT_READ,
        True,
        ("The audit cannot be written", "The audit cannot be written: {cause}."),
        ("审计记录无法写入", "审计记录无法写入：{cause}。"),
    ),
    "certificate.expiring": _wording(
        Permission.NODE_OPERATE,
        True,
        ("A certificate ends soon", "The certificate of {name} ends at {until}. See: hanse node certificate"),
        ("有证书即将到期", "{name} 的证书将于 {until} 到期。请执行 hanse node certificate 查看。"),
    ),
    "dataset.drifted": _wording(
        Permission.DATASETS_READ,
        True,
        ("A dataset has drifted", "Version {version} of {dataset} differs from version {older} in {columns}."),
        ("有数据集发生漂移", "数据集 {dataset} 的版本 {version} 与版本 {older} 在以下列上不同：{columns}。"),
    ),
    "grant.ending": _wording(
        Permission.GRANTS_READ,
        False,
        ("A grant ends soon", "The grant of {dataset} to {project} ends at {until}."),
        ("有授权即将到期", "数据集 {dataset} 对项目 {project} 的授权将于 {until} 到期。"),
    ),
    "job.ended": _wording(
        Permission.JOBS_READ,
        False,
        ("A job has ended", "{name} is {state}."),
        ("有作业已结束", "{name}：{state}。"),
    ),
    "job.failed": _wording(
        Permission.JOBS_READ,
        True,
        ("A job has failed", "{name} has failed ({code})."),
        ("有作业失败", "{name} 失败（{code}）。"),
    ),
    "member.pending": _wording(
        Permission.MEMBERS_READ,
        True,
        (
            "An organisation waits to be confirmed",
            "{name} has used an invitation and waits until its fingerprint is confirmed.",
        ),
        ("有组织等待确认", "{name} 已使用邀请，等待核对指纹并确认。"),
    ),
    "profile.failed": _wording(
        Permission.DATASETS_READ,
        False,
        ("The figures of a dataset could not be found", "Version {version} of {dataset} was not measured ({code})."),
        ("有数据集未能完成预分析", "数据集 {dataset} 的版本 {version} 未能完成预分析（{code}）。"),
    ),
    "schedule.missed": _wording(
        Permission.JOBS_READ,
        True,
        ("A scheduled run was missed", "{name} was due at {due} and did not run."),
        ("有定时任务未按时运行", "{name} 应于 {due} 运行，但未运行。"),
    ),
}


ZH_TERMS: Mapping[str, str] = {
    "application": "数据申请",
    "approved": "已批准",
    "download": "结果下载",
    "grant": "授权",
    "job": "作业",
    "member": "组织",
    "model": "模型",
    "project": "项目",
    "rejected": "已拒绝",
    "service": "服务",
    "succeeded": "已成功",
    "void": "已失效",
    "withdrawn": "已撤回",
}
"""States and kinds as a reader of Chinese has them."""

TERMS = ("kind", "state")
"""Which words of a body are terms, and not somebody's text."""


def word(kind: Kind, words: Mapping[str, str], language: Language) -> Text:
    """Return a notification in words. Raises KeyError when a word that its body needs is not among them."""
    wording = CATALOGUE[kind]
    said = dict(words)
    if language == "zh":
        said |= {name: ZH_TERMS.get(said[name], said[name]) for name in TERMS if name in said}
    return Text(wording.title[language], wording.body[language].format_map(said).strip())
