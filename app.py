"""Open the page: python app.py [--host 127.0.0.1] [--port 7860] [--device cpu] [--data FOLDER] [--no-browser] [--log FILE]

[--visitors 500] [--time 600] [--memory 4096] [--disk 2048]: what those who use it at once may take, see docs/HOSTING.md.
"""

import argparse
import gc
import os
import shutil
import signal
import socket
import tempfile
import threading
from pathlib import Path

# OpenMP's threads spin while they wait for each other. Where another program has one of the cores, that is a hundred times
# slower than to sleep; now they sleep after a thousand turns, which costs nothing on free cores. Read as torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

gc.disable()  # what imports make stays: to look for garbage among it takes a sixth of the time

from cemviz.backend.apart import Apart
from cemviz.backend.device import choose
from cemviz.backend.diary import LOG, keep
from cemviz.backend.foreign import guests
from cemviz.backend.foreign.reading import hosted
from cemviz.backend.limits import Limits
from cemviz.backend.play import warm_up
from cemviz.backend.studio import Studio
from cemviz.backend.train import live as training
from cemviz.data.images import root
from cemviz.ui import visits
from cemviz.ui.first import FirstViews
from cemviz.ui.page import build, launch_options

gc.freeze()
gc.enable()


def ready(studio: Studio, views: FirstViews, closed: threading.Event) -> None:
    """Load what the first run and the first game would wait for, and draw first views: once the page answers."""
    studio.apart.start()
    warm_up()
    views.warm(closed)


def main() -> None:
    """Parse the arguments, build the page, launch it."""
    parser = argparse.ArgumentParser(description="cemviz: adversarial training as energy-based modelling, in your browser")
    parser.add_argument(
        "--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"), help="0.0.0.0 opens it to the network"
    )
    parser.add_argument("--port", type=int, default=None, help="default: GRADIO_SERVER_PORT, else the first free one from 7860")
    parser.add_argument("--device", help="cuda, cuda:N, mps or cpu (default: the best there is)")
    parser.add_argument("--data", help="root of local image folders (default: CEMVIZ_DATA)")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--log", type=Path, help="file for one line an event; at 1 MiB it is begun anew, three older ones stay")
    usual = Limits()
    parser.add_argument("--visitors", type=int, default=usual.visitors, help=f"open pages, at most ({usual.visitors})")
    parser.add_argument("--time", type=float, default=usual.time, help=f"seconds of a run, at most ({usual.time:g})")
    parser.add_argument(
        "--memory", type=int, default=usual.memory, help=f"MiB from which closed visits end at once ({usual.memory})"
    )
    parser.add_argument(
        "--disk", type=int, default=usual.disk, help=f"MiB of temporary files, uploads among them ({usual.disk})"
    )
    args = parser.parse_args()
    try:
        root(args.data)  # a mistyped folder is said now, not when a visitor asks for an image
        limits = Limits(args.visitors, args.time, args.memory, args.disk)
        studio = Studio(choose(args.device), args.data, Apart(args.device, args.data), limits)
        if args.port is not None and not 0 < args.port < 65536:
            raise ValueError(f"port is {args.port}; give a whole number from 1 to 65535")
        socket.getaddrinfo(args.host.strip("[]"), None)  # a mistyped address would end in the server's traceback
        if args.log:
            keep(args.log)
    except (ValueError, LookupError) as error:
        parser.error(str(error))
    except socket.gaierror:
        parser.error(f"host is {args.host!r}, which is no address here; give 127.0.0.1, or 0.0.0.0 for the network")
    except OSError as error:
        parser.error(f"log is {str(args.log)!r}, which cannot be written ({error.strerror}); name another file")
    # a hosted space sets its own address and has no browser
    server = {} if hosted() else {"server_name": args.host, "server_port": args.port, "inbrowser": not args.no_browser}
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the page as Ctrl-C does
    closed = threading.Event()
    # uploads and files for download lie in a folder of this page's own: it is measured, and goes when the page closes
    place = os.environ.get("GRADIO_TEMP_DIR", tempfile.gettempdir())
    try:
        os.makedirs(place, exist_ok=True)
        files = os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="cemviz-page-", dir=place)
    except OSError as error:
        parser.error(f"GRADIO_TEMP_DIR is {place!r}, which cannot be written ({error.strerror}); name another folder")
    try:
        views = FirstViews(studio)
        page = build(studio, views)
        page.launch(**launch_options(studio, views), **server, prevent_thread_lock=True)
        LOG.info("page: open at %s on %s", page.local_url, studio.device.title)
        visits.watch(page, closed, limits.memory)
        threading.Thread(target=ready, args=[studio, views, closed], daemon=True).start()  # while the first visitor reads
        page.block_thread()
    except OSError as error:
        message = f"cemviz: the page could not be opened ({error}); is the port in use? Give another: --port 7900"
        raise SystemExit(message) from None
    finally:
        LOG.info("page: closing")
        closed.set()
        training.halt()  # every unfinished run is saved
        studio.apart.close()
        guests.forget_all()
        shutil.rmtree(files, ignore_errors=True)


if __name__ == "__main__":
    main()
