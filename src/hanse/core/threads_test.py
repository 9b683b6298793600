import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

from hanse.core import threads

said: ContextVar[str] = ContextVar("said", default="nothing")


async def name_of_thread() -> str:
    return await threads.run(lambda: threading.current_thread().name)


async def test_a_task_and_those_that_it_starts_keep_to_their_threads_and_others_do_not() -> None:
    with ThreadPoolExecutor(1, "own") as own:
        with threads.kept_to(own):
            child = asyncio.create_task(name_of_thread())
            assert (await name_of_thread()).startswith("own")
        assert not (await name_of_thread()).startswith("own")
        assert (await child).startswith("own")


async def test_threads_that_are_all_taken_hold_nobody_back_who_is_not_kept_to_them() -> None:
    release = threading.Event()
    with ThreadPoolExecutor(1, "own") as own:
        with threads.kept_to(own):
            stuck = asyncio.create_task(threads.run(release.wait))
        assert await threads.run(sum, (1, 2)) == 3
        assert not stuck.done()
        release.set()
        assert await stuck


async def test_work_sees_the_context_of_its_caller() -> None:
    said.set("a word")
    assert await threads.run(said.get) == "a word"
