"""Two clients of one REST interface: `AsyncClient` for programs, `Client` for scripts and notebooks."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from hanse.client import calls
from hanse.client.calls import Call
from hanse.client.directory import NodeAddress, node_down, read_address, read_token
from hanse.client.login import Login, read_login
from hanse.client.refusal import read_refusal
from hanse.client.resources import Job, JobEvent, Upload
from hanse.client.sending import Tell, send_file
from hanse.core.faults import fault

P = ParamSpec("P")
T = TypeVar("T")

SILENT_S = 60.0
"""A stream that says nothing for this long is dead: a node says every 15 s that it lives."""

RECONNECT_S = 0.5


def _asked(build: Callable[P, Call[T]]) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, T]]:
    """Return the coroutine method that sends what `build` makes."""

    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.send(build(*args, **kwargs))

    method.__doc__ = build.__doc__
    return method


def _awaited(build: Callable[P, Call[T]]) -> Callable[Concatenate["Client", P], T]:
    """Return the method that sends what `build` makes and waits for the answer."""

    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.wait(self.asynchronous.send(build(*args, **kwargs)))

    method.__doc__ = build.__doc__
    return method


class AsyncClient:
    """A node's REST interface as coroutines. Use it as an async context.

    `place` is the directory of a node on this machine. With an access `key` it is the node's address, such as
    `https://node.bank.example:8480`, and `fingerprint` the SHA-256 of its certificate (empty: one that is publicly
    trusted). With a `login`, the certificate must be the one that was seen then.
    """

    def __init__(self, place: Path | str, login: Login | None = None, *, key: str = "", fingerprint: str = "") -> None:
        directory = Path() if key else Path(place)
        login = Login(str(place).rstrip("/"), key, fingerprint.replace(":", "").lower()) if key else login
        here = read_address(directory) if login is None else NodeAddress(login.url, fingerprint=login.fingerprint)
        self._directory = directory
        self._address = here.rest
        seen = bytes.fromhex(here.fingerprint)
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {read_token(directory) if login is None else login.key}"},
            connector=aiohttp.TCPConnector(ssl=aiohttp.Fingerprint(seen)) if seen else None,
            trust_env=False,
        )

    @property
    def directory(self) -> Path:
        return self._directory

    @property
    def address(self) -> str:
        return self._address

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._session.close()

    async def send(self, call: Call[T]) -> T:
        """Send one call. Raises Refusal when the node says no, HanseError when it does not answer."""
        limit = aiohttp.ClientTimeout(total=call.timeout_s)
        body = call.content if call.body is None else msgspec.json.encode(call.body)
        kind = "application/octet-stream" if call.body is None else "application/json"
        headers = {"Content-Type": kind} if body is not None else {}
        try:
            async with self._session.request(
                call.verb, self._address + call.path, data=body, params=call.query, headers=headers, timeout=limit
            ) as answer:
                raw = await answer.read()
                status = answer.status
        except aiohttp.ClientError as error:
            raise node_down(self._directory, f"{self._address} does not answer ({error})") from error
        except TimeoutError as error:
            raise fault(
                "node.slow",
                f"no answer to {call.verb} {call.path} within {call.timeout_s:g} s",
                f"see {self._directory / 'log'}",
                step="wait for the node",
            ) from error
        if status >= 400:
            raise read_refusal(status, raw)
        return _decode(raw, call)

    async def events(self, job_id: str, after: int = 0) -> AsyncIterator[JobEvent]:
        """Yield a job's events as they come, until it has ended and all were told."""
        ended = False
        while not ended:
            ended = True
            async for told in self._stream(f"/v1/jobs/{quote(job_id, safe='')}/events/stream", after):
                if told is None:  # cut off in the middle: go on where it was
                    ended = False
                    await asyncio.sleep(RECONNECT_S)
                else:
                    after = told.number
                    yield told

    async def _stream(self, path: str, after: int) -> AsyncIterator[JobEvent | None]:
        """Yield the events of a stream; None at the end when it was cut off before it was over."""
        headers = {"Last-Event-ID": str(after), "Accept": "text/event-stream"}
        limit = aiohttp.ClientTimeout(total=None, sock_read=SILENT_S)
        kind = ""
        try:
            async with self._session.get(self._address + path, headers=headers, timeout=limit) as answer:
                if answer.status >= 400:
                    raise read_refusal(answer.status, await answer.read())
                if answer.content_type != "text/event-stream":
                    raise fault("node.unexpected", f"{path} answers {answer.content_type}, no stream of events")
                async for line in answer.content:
                    field, _, value = line.decode().rstrip("\n").partition(": ")
                    if field == "event":
                        kind = value
                    elif field == "data" and kind == "end":
                        return
                    elif field == "data":
                        yield msgspec.json.decode(value, type=JobEvent)
        except aiohttp.ClientConnectorError as error:
            raise node_down(self._directory, f"{self._address} does not answer ({error})") from error
        except (aiohttp.ClientError, TimeoutError):
            pass
        yield None

    async def watch(self, job_id: str, tell: Callable[[JobEvent], None] | None = None) -> Job:
        """Wait until a job has ended, telling each event, and return it."""
        async for event in self.events(job_id):
            if tell is not None:
                tell(event)
        return await self.job(job_id)

    async def send_file(self, file: Path, tell: Tell | None = None) -> Upload:
        """Upload a file, going on where an earlier attempt stopped. Raises `upload.*`, `file.*`."""
        return await send_file(self, file, tell)

    node = _asked(calls.node)
    invite = _asked(calls.invite)
    inspect = _asked(calls.inspect)
    join = _asked(calls.join)
    members = _asked(calls.members)
    confirm_member = _asked(calls.confirm_member)
    certificate = _asked(calls.certificate)
    request_certificate = _asked(calls.request_certificate)
    install_certificate = _asked(calls.install_certificate)
    renew_certificate = _asked(calls.renew_certificate)
    register = _asked(calls.register)
    switch_register = _asked(calls.switch_register)
    register_entries = _asked(calls.register_entries)
    add_register_entry = _asked(calls.add_register_entry)
    strike_register_entry = _asked(calls.strike_register_entry)
    registries = _asked(calls.registries)
    follow_registry = _asked(calls.follow_registry)
    leave_registry = _asked(calls.leave_registry)
    refresh_registry = _asked(calls.refresh_registry)
    registry_organisations = _asked(calls.registry_organisations)
    propose_pairing = _asked(calls.propose_pairing)
    check_link = _asked(calls.check_link)
    suspend_member = _asked(calls.suspend_member)
    resume_member = _asked(calls.resume_member)
    revoke_member = _asked(calls.revoke_member)
    revocations = _asked(calls.revocations)
    invitations = _asked(calls.invitations)
    withdraw_invitation = _asked(calls.withdraw_invitation)
    add_project_members = _asked(calls.add_project_members)
    remove_project_member = _asked(calls.remove_project_member)
    leave_project = _asked(calls.leave_project)
    read_dataset = _asked(calls.read_dataset)
    add_source = _asked(calls.add_source)
    source_kinds = _asked(calls.source_kinds)
    sources = _asked(calls.sources)
    source = _asked(calls.source)
    change_source = _asked(calls.change_source)
    remove_source = _asked(calls.remove_source)
    test_source = _asked(calls.test_source)
    source_tables = _asked(calls.source_tables)
    register_dataset = _asked(calls.register_dataset)
    datasets = _asked(calls.datasets)
    dataset = _asked(calls.dataset)
    describe_dataset = _asked(calls.describe_dataset)
    refresh_dataset = _asked(calls.refresh_dataset)
    dataset_versions = _asked(calls.dataset_versions)
    compare_dataset_versions = _asked(calls.compare_dataset_versions)
    dataset_receipt = _asked(calls.dataset_receipt)
    retire_dataset_version = _asked(calls.retire_dataset_version)
    foresee_dataset_deletion = _asked(calls.foresee_dataset_deletion)
    delete_dataset = _asked(calls.delete_dataset)
    profile_dataset = _asked(calls.profile_dataset)
    dataset_profile = _asked(calls.dataset_profile)
    dataset_profiles = _asked(calls.dataset_profiles)
    compare_dataset_profiles = _asked(calls.compare_dataset_profiles)
    dataset_drift = _asked(calls.dataset_drift)
    price_profile_share = _asked(calls.price_profile_share)
    share_profile = _asked(calls.share_profile)
    profile_shares = _asked(calls.profile_shares)
    withdraw_profile_share = _asked(calls.withdraw_profile_share)
    privacy_budget = _asked(calls.privacy_budget)
    set_privacy_budget = _asked(calls.set_privacy_budget)
    partner_profiles = _asked(calls.partner_profiles)
    create_upload = _asked(calls.create_upload)
    uploads = _asked(calls.uploads)
    upload = _asked(calls.upload)
    send_chunk = _asked(calls.send_chunk)
    complete_upload = _asked(calls.complete_upload)
    remove_upload = _asked(calls.remove_upload)
    create_project = _asked(calls.create_project)
    projects = _asked(calls.projects)
    accept_project = _asked(calls.accept_project)
    project_datasets = _asked(calls.project_datasets)
    add_grant = _asked(calls.add_grant)
    change_grant = _asked(calls.change_grant)
    grant = _asked(calls.grant)
    grant_uses = _asked(calls.grant_uses)
    ask_for_data = _asked(calls.ask_for_data)
    applications = _asked(calls.applications)
    approve_application = _asked(calls.approve_application)
    reject_application = _asked(calls.reject_application)
    withdraw_application = _asked(calls.withdraw_application)
    save_derived = _asked(calls.save_derived)
    derived = _asked(calls.derived)
    remove_derived = _asked(calls.remove_derived)
    grants = _asked(calls.grants)
    revoke_grant = _asked(calls.revoke_grant)
    components = _asked(calls.components)
    component = _asked(calls.component)
    create_pipeline = _asked(calls.create_pipeline)
    save_pipeline = _asked(calls.save_pipeline)
    check_pipeline = _asked(calls.check_pipeline)
    pipelines = _asked(calls.pipelines)
    pipeline = _asked(calls.pipeline)
    pipeline_versions = _asked(calls.pipeline_versions)
    diff_pipeline = _asked(calls.diff_pipeline)
    copy_pipeline = _asked(calls.copy_pipeline)
    archive_pipeline = _asked(calls.archive_pipeline)
    restore_pipeline = _asked(calls.restore_pipeline)
    comment_pipeline = _asked(calls.comment_pipeline)
    pipeline_comments = _asked(calls.pipeline_comments)
    templates = _asked(calls.templates)
    template = _asked(calls.template)
    add_template = _asked(calls.add_template)
    remove_template = _asked(calls.remove_template)
    fill_template = _asked(calls.fill_template)
    check_template_values = _asked(calls.check_template_values)
    run_job = _asked(calls.run_job)
    estimate_job = _asked(calls.estimate_job)
    run_pipeline = _asked(calls.run_pipeline)
    resume_job = _asked(calls.resume_job)
    jobs = _asked(calls.jobs)
    job = _asked(calls.job)
    job_events = _asked(calls.job_events)
    cancel_job = _asked(calls.cancel_job)
    retry_job = _asked(calls.retry_job)
    set_job_priority = _asked(calls.set_job_priority)
    add_schedule = _asked(calls.add_schedule)
    schedules = _asked(calls.schedules)
    schedule = _asked(calls.schedule)
    schedule_runs = _asked(calls.schedule_runs)
    pause_schedule = _asked(calls.pause_schedule)
    resume_schedule = _asked(calls.resume_schedule)
    run_schedule = _asked(calls.run_schedule)
    remove_schedule = _asked(calls.remove_schedule)
    output = _asked(calls.output)
    archive_job = _asked(calls.archive_job)
    foresee_job_removal = _asked(calls.foresee_job_removal)
    remove_job = _asked(calls.remove_job)
    restore_job = _asked(calls.restore_job)
    job_log = _asked(calls.job_log)
    report = _asked(calls.report)
    models = _asked(calls.models)
    model = _asked(calls.model)
    me = _asked(calls.me)
    log_in = _asked(calls.log_in)
    sessions = _asked(calls.sessions)
    end_session = _asked(calls.end_session)
    users = _asked(calls.users)
    user = _asked(calls.user)
    add_user = _asked(calls.add_user)
    change_user = _asked(calls.change_user)
    disable_user = _asked(calls.disable_user)
    enable_user = _asked(calls.enable_user)
    unlock_user = _asked(calls.unlock_user)
    reset_user = _asked(calls.reset_user)
    setup_link = _asked(calls.setup_link)
    choose_password = _asked(calls.choose_password)
    set_up = _asked(calls.set_up)
    permissions = _asked(calls.permissions)
    groups = _asked(calls.groups)
    add_group = _asked(calls.add_group)
    change_group = _asked(calls.change_group)
    remove_group = _asked(calls.remove_group)
    add_to_group = _asked(calls.add_to_group)
    remove_from_group = _asked(calls.remove_from_group)
    project_people = _asked(calls.project_people)
    add_project_person = _asked(calls.add_project_person)
    remove_project_person = _asked(calls.remove_project_person)
    keys = _asked(calls.keys)
    add_key = _asked(calls.add_key)
    rotate_key = _asked(calls.rotate_key)
    revoke_key = _asked(calls.revoke_key)
    notifications = _asked(calls.notifications)
    read_notifications = _asked(calls.read_notifications)
    subscriptions = _asked(calls.subscriptions)
    subscribe = _asked(calls.subscribe)
    channels = _asked(calls.channels)
    channel = _asked(calls.channel)
    add_channel = _asked(calls.add_channel)
    change_channel = _asked(calls.change_channel)
    remove_channel = _asked(calls.remove_channel)
    try_channel = _asked(calls.try_channel)
    deliveries = _asked(calls.deliveries)
    retry_deliveries = _asked(calls.retry_deliveries)
    approvals = _asked(calls.approvals)
    approval = _asked(calls.approval)
    approve = _asked(calls.approve)
    reject = _asked(calls.reject)
    withdraw = _asked(calls.withdraw)
    watch_approval = _asked(calls.watch_approval)
    delegate = _asked(calls.delegate)
    delegations = _asked(calls.delegations)
    end_delegation = _asked(calls.end_delegation)
    add_rule = _asked(calls.add_rule)
    rules = _asked(calls.rules)
    remove_rule = _asked(calls.remove_rule)
    policies = _asked(calls.policies)
    change_policy = _asked(calls.change_policy)


class Client:
    """A node's REST interface as plain calls: it works in a script, and in a notebook whose loop is running.

    The loop that speaks HTTP runs in a thread of its own until `close`. Arguments are those of `AsyncClient`.
    """

    def __init__(self, place: Path | str, login: Login | None = None, *, key: str = "", fingerprint: str = "") -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hanse-client", daemon=True)
        self._thread.start()
        try:
            self.asynchronous = self.wait(_open(place, login, key, fingerprint))
        except BaseException:
            self._stop()
            raise

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the client's loop and return what it returns. An interrupt cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.wait(self.asynchronous.close())
        self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def events(self, job_id: str, after: int = 0) -> Iterator[JobEvent]:
        """Yield a job's events as they come, until it has ended and all were told."""
        source = self.asynchronous.events(job_id, after)
        while (event := self.wait(_next(source))) is not None:
            yield event

    def watch(self, job_id: str, tell: Callable[[JobEvent], None] | None = None) -> Job:
        """Wait until a job has ended, telling each event, and return it."""
        for event in self.events(job_id):
            if tell is not None:
                tell(event)
        return self.job(job_id)

    def send_file(self, file: Path, tell: Tell | None = None) -> Upload:
        """Upload a file, going on where an earlier attempt stopped. Raises `upload.*`, `file.*`."""
        return self.wait(self.asynchronous.send_file(file, tell))

    node = _awaited(calls.node)
    invite = _awaited(calls.invite)
    inspect = _awaited(calls.inspect)
    join = _awaited(calls.join)
    members = _awaited(calls.members)
    confirm_member = _awaited(calls.confirm_member)
    certificate = _awaited(calls.certificate)
    request_certificate = _awaited(calls.request_certificate)
    install_certificate = _awaited(calls.install_certificate)
    renew_certificate = _awaited(calls.renew_certificate)
    register = _awaited(calls.register)
    switch_register = _awaited(calls.switch_register)
    register_entries = _awaited(calls.register_entries)
    add_register_entry = _awaited(calls.add_register_entry)
    strike_register_entry = _awaited(calls.strike_register_entry)
    registries = _awaited(calls.registries)
    follow_registry = _awaited(calls.follow_registry)
    leave_registry = _awaited(calls.leave_registry)
    refresh_registry = _awaited(calls.refresh_registry)
    registry_organisations = _awaited(calls.registry_organisations)
    propose_pairing = _awaited(calls.propose_pairing)
    check_link = _awaited(calls.check_link)
    suspend_member = _awaited(calls.suspend_member)
    resume_member = _awaited(calls.resume_member)
    revoke_member = _awaited(calls.revoke_member)
    revocations = _awaited(calls.revocations)
    invitations = _awaited(calls.invitations)
    withdraw_invitation = _awaited(calls.withdraw_invitation)
    add_project_members = _awaited(calls.add_project_members)
    remove_project_member = _awaited(calls.remove_project_member)
    leave_project = _awaited(calls.leave_project)
    read_dataset = _awaited(calls.read_dataset)
    add_source = _awaited(calls.add_source)
    source_kinds = _awaited(calls.source_kinds)
    sources = _awaited(calls.sources)
    source = _awaited(calls.source)
    change_source = _awaited(calls.change_source)
    remove_source = _awaited(calls.remove_source)
    test_source = _awaited(calls.test_source)
    source_tables = _awaited(calls.source_tables)
    register_dataset = _awaited(calls.register_dataset)
    datasets = _awaited(calls.datasets)
    dataset = _awaited(calls.dataset)
    describe_dataset = _awaited(calls.describe_dataset)
    refresh_dataset = _awaited(calls.refresh_dataset)
    dataset_versions = _awaited(calls.dataset_versions)
    compare_dataset_versions = _awaited(calls.compare_dataset_versions)
    dataset_receipt = _awaited(calls.dataset_receipt)
    retire_dataset_version = _awaited(calls.retire_dataset_version)
    foresee_dataset_deletion = _awaited(calls.foresee_dataset_deletion)
    delete_dataset = _awaited(calls.delete_dataset)
    profile_dataset = _awaited(calls.profile_dataset)
    dataset_profile = _awaited(calls.dataset_profile)
    dataset_profiles = _awaited(calls.dataset_profiles)
    compare_dataset_profiles = _awaited(calls.compare_dataset_profiles)
    dataset_drift = _awaited(calls.dataset_drift)
    price_profile_share = _awaited(calls.price_profile_share)
    share_profile = _awaited(calls.share_profile)
    profile_shares = _awaited(calls.profile_shares)
    withdraw_profile_share = _awaited(calls.withdraw_profile_share)
    privacy_budget = _awaited(calls.privacy_budget)
    set_privacy_budget = _awaited(calls.set_privacy_budget)
    partner_profiles = _awaited(calls.partner_profiles)
    create_upload = _awaited(calls.create_upload)
    uploads = _awaited(calls.uploads)
    upload = _awaited(calls.upload)
    send_chunk = _awaited(calls.send_chunk)
    complete_upload = _awaited(calls.complete_upload)
    remove_upload = _awaited(calls.remove_upload)
    create_project = _awaited(calls.create_project)
    projects = _awaited(calls.projects)
    accept_project = _awaited(calls.accept_project)
    project_datasets = _awaited(calls.project_datasets)
    add_grant = _awaited(calls.add_grant)
    change_grant = _awaited(calls.change_grant)
    grant = _awaited(calls.grant)
    grant_uses = _awaited(calls.grant_uses)
    ask_for_data = _awaited(calls.ask_for_data)
    applications = _awaited(calls.applications)
    approve_application = _awaited(calls.approve_application)
    reject_application = _awaited(calls.reject_application)
    withdraw_application = _awaited(calls.withdraw_application)
    save_derived = _awaited(calls.save_derived)
    derived = _awaited(calls.derived)
    remove_derived = _awaited(calls.remove_derived)
    grants = _awaited(calls.grants)
    revoke_grant = _awaited(calls.revoke_grant)
    components = _awaited(calls.components)
    component = _awaited(calls.component)
    create_pipeline = _awaited(calls.create_pipeline)
    save_pipeline = _awaited(calls.save_pipeline)
    check_pipeline = _awaited(calls.check_pipeline)
    pipelines = _awaited(calls.pipelines)
    pipeline = _awaited(calls.pipeline)
    pipeline_versions = _awaited(calls.pipeline_versions)
    diff_pipeline = _awaited(calls.diff_pipeline)
    copy_pipeline = _awaited(calls.copy_pipeline)
    archive_pipeline = _awaited(calls.archive_pipeline)
    restore_pipeline = _awaited(calls.restore_pipeline)
    comment_pipeline = _awaited(calls.comment_pipeline)
    pipeline_comments = _awaited(calls.pipeline_comments)
    templates = _awaited(calls.templates)
    template = _awaited(calls.template)
    add_template = _awaited(calls.add_template)
    remove_template = _awaited(calls.remove_template)
    fill_template = _awaited(calls.fill_template)
    check_template_values = _awaited(calls.check_template_values)
    run_job = _awaited(calls.run_job)
    estimate_job = _awaited(calls.estimate_job)
    run_pipeline = _awaited(calls.run_pipeline)
    resume_job = _awaited(calls.resume_job)
    jobs = _awaited(calls.jobs)
    job = _awaited(calls.job)
    job_events = _awaited(calls.job_events)
    cancel_job = _awaited(calls.cancel_job)
    retry_job = _awaited(calls.retry_job)
    set_job_priority = _awaited(calls.set_job_priority)
    add_schedule = _awaited(calls.add_schedule)
    schedules = _awaited(calls.schedules)
    schedule = _awaited(calls.schedule)
    schedule_runs = _awaited(calls.schedule_runs)
    pause_schedule = _awaited(calls.pause_schedule)
    resume_schedule = _awaited(calls.resume_schedule)
    run_schedule = _awaited(calls.run_schedule)
    remove_schedule = _awaited(calls.remove_schedule)
    output = _awaited(calls.output)
    archive_job = _awaited(calls.archive_job)
    foresee_job_removal = _awaited(calls.foresee_job_removal)
    remove_job = _awaited(calls.remove_job)
    restore_job = _awaited(calls.restore_job)
    job_log = _awaited(calls.job_log)
    report = _awaited(calls.report)
    models = _awaited(calls.models)
    model = _awaited(calls.model)
    me = _awaited(calls.me)
    log_in = _awaited(calls.log_in)
    sessions = _awaited(calls.sessions)
    end_session = _awaited(calls.end_session)
    users = _awaited(calls.users)
    user = _awaited(calls.user)
    add_user = _awaited(calls.add_user)
    change_user = _awaited(calls.change_user)
    disable_user = _awaited(calls.disable_user)
    enable_user = _awaited(calls.enable_user)
    unlock_user = _awaited(calls.unlock_user)
    reset_user = _awaited(calls.reset_user)
    setup_link = _awaited(calls.setup_link)
    choose_password = _awaited(calls.choose_password)
    set_up = _awaited(calls.set_up)
    permissions = _awaited(calls.permissions)
    groups = _awaited(calls.groups)
    add_group = _awaited(calls.add_group)
    change_group = _awaited(calls.change_group)
    remove_group = _awaited(calls.remove_group)
    add_to_group = _awaited(calls.add_to_group)
    remove_from_group = _awaited(calls.remove_from_group)
    project_people = _awaited(calls.project_people)
    add_project_person = _awaited(calls.add_project_person)
    remove_project_person = _awaited(calls.remove_project_person)
    keys = _awaited(calls.keys)
    add_key = _awaited(calls.add_key)
    rotate_key = _awaited(calls.rotate_key)
    revoke_key = _awaited(calls.revoke_key)
    notifications = _awaited(calls.notifications)
    read_notifications = _awaited(calls.read_notifications)
    subscriptions = _awaited(calls.subscriptions)
    subscribe = _awaited(calls.subscribe)
    channels = _awaited(calls.channels)
    channel = _awaited(calls.channel)
    add_channel = _awaited(calls.add_channel)
    change_channel = _awaited(calls.change_channel)
    remove_channel = _awaited(calls.remove_channel)
    try_channel = _awaited(calls.try_channel)
    deliveries = _awaited(calls.deliveries)
    retry_deliveries = _awaited(calls.retry_deliveries)
    approvals = _awaited(calls.approvals)
    approval = _awaited(calls.approval)
    approve = _awaited(calls.approve)
    reject = _awaited(calls.reject)
    withdraw = _awaited(calls.withdraw)
    watch_approval = _awaited(calls.watch_approval)
    delegate = _awaited(calls.delegate)
    delegations = _awaited(calls.delegations)
    end_delegation = _awaited(calls.end_delegation)
    add_rule = _awaited(calls.add_rule)
    rules = _awaited(calls.rules)
    remove_rule = _awaited(calls.remove_rule)
    policies = _awaited(calls.policies)
    change_policy = _awaited(calls.change_policy)


def connect(directory: Path | str) -> Client:
    """Return a client of the node whose directory this is, or of the one that `hanse login` knows if none is there.

    Raises HanseError when no node runs there.
    """
    folder = Path(directory).expanduser()
    known = None if (folder / "token").exists() else read_login()
    return Client(folder, known)


async def _open(place: Path | str, login: Login | None, key: str, fingerprint: str) -> AsyncClient:
    return AsyncClient(place, login, key=key, fingerprint=fingerprint)


async def _next(source: AsyncIterator[JobEvent]) -> JobEvent | None:
    return await anext(source, None)


def _decode(raw: bytes, call: Call[T]) -> T:
    if call.answer is Any and not raw:
        raw = b"null"
    try:
        answer: T = msgspec.json.decode(raw, type=call.answer)
    except msgspec.DecodeError as error:
        raise fault(
            "node.unexpected",
            f"the answer to {call.verb} {call.path} is not what this release expects: {error}",
            "bring the node and the command to the same release: hanse version",
            step="read the node's answer",
        ) from error
    return answer
