"""An event loop in a thread of its own, for servers that tests talk to from outside."""

import asyncio
import contextlib
import threading


class LoopThread:
    def __init__(self, loop):
        self.loop = loop

    def run(self, coroutine, timeout=20):
        """What ``coroutine`` gives on this loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)


@contextlib.contextmanager
def loop_thread(name, factory=asyncio.new_event_loop):
    loop = factory()
    thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
    thread.start()
    try:
        yield LoopThread(loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
