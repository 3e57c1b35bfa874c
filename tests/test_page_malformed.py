"""Calls that no page of ours makes: each is refused with one line and no traceback, and the page goes on as if it were not."""

import json
import random
from collections import Counter

import gradio as gr
import httpx
import pytest
from conftest import awaited
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from cemviz.ui.manners import Malformed, Manners, Page, sent

CALLS, ADDRESSES, OTHERS = 250, 40, 60
NESTED = json.loads("[" * 60 + "1" + "]" * 60)
JUNK = [
    None, "", "x", 0, -1, 1e308, 10**30, True, [], {}, [1, 2], {"a": 1}, "\0", "\ud800", "../../etc/passwd", "a" * 10_000,
    "test:99999999", "gallery:-1", "upload:!!!!", "drawn:AAAA", {"path": "/etc/passwd"},
    {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, NESTED, {"__type__": "update"}, "NaN", "inf", "<script>",
    3.5, "evidence/../x", "mnist-at~000000000000",
]  # fmt: skip
EVENTS = [None, {}, "x", {"index": [0, 1]}, {"value": -5}, {"x": 1e9, "y": "n"}]
KEYS = ["tab", "a", "b", "x", "seed", "s.sampler", "k.over", "re.task", "l.image", "r.table", "p.game", "y", "s.story", "a[]"]
TEXTS = ["", "%00", "..%2f", "-1", "1e999", "nan", "x" * 500, "test:1", "upload:%ff", "%ud800", "<b>"]
PATHS = [
    "/gradio_api/file=/etc/passwd", "/gradio_api/file=../app.py", "/gradio_api/upload", "/gradio_api/cancel",
    "/gradio_api/reset", "/gradio_api/component_server", "/gradio_api/call/x",
    "/gradio_api/stream/x/y/z", "/custom_component/x/y/z", "/%2e%2e/app.py", "/gradio_api/proxy=http://example.com",
    "/pwa_icon/9999999",
]  # fmt: skip
BODIES = [b"", b"{}", b"\xff\xfe", b"[", b'{"session_hash":1,"event_id":2,"fn_index":-1}']


@pytest.fixture(scope="module")
def client(url):
    with httpx.Client(base_url=url, timeout=60) as client:
        yield client


def junk(draw, good):
    return good if draw.random() < 0.35 else draw.choice(JUNK)


def spoiled(draw, call, values):
    """A body like that of an event, with something wrong in it."""
    data = [junk(draw, values[part]) for part in call["inputs"]]
    body = {
        "data": data[: draw.choice([len(data), len(data), len(data) // 2])] + draw.choice([[], [], [1, 2]]),
        "fn_index": draw.choice([call["id"]] * 12 + [-1, 10**6, "x", None]), "session_hash": f"malformed{draw.randint(0, 9)}",
        "event_data": draw.choice(EVENTS), "trigger_id": draw.choice([None, 0, "x"]),
    }  # fmt: skip
    if draw.random() < 0.05:
        body["data"] = draw.choice([None, "x", {}, 5])
    raw = json.dumps(body).encode()
    return raw[: draw.choice([len(raw)] * 20 + [len(raw) // 2])]


@pytest.mark.slow
def test_malformed_calls_are_refused_and_never_answered_as_a_fault_of_the_page(client):
    draw, config = random.Random(0), client.get("/config").json()
    calls = [call for call in config["dependencies"] if call["backend_fn"]]
    values = {part["id"]: part["props"].get("value") for part in config["components"]}
    met = Counter()
    for _ in range(CALLS):
        call = draw.choice(calls)
        path = "queue/join" if call["queue"] else "run/predict"
        raw = spoiled(draw, call, values)
        answer = client.post(f"/gradio_api/{path}", content=raw, headers={"content-type": "application/json"})
        assert answer.status_code < 500, (call["api_name"], answer.status_code, answer.text[:300], raw[:300])
        met[answer.status_code] += 1
        if answer.status_code == 422 and isinstance(said := answer.json().get("error"), str):
            assert len(said.splitlines()) == 1 and len(said) < 300
    assert met[422] > CALLS / 4
    assert client.get("/health").json()["line"] <= 1


@pytest.mark.slow
def test_malformed_addresses_open_the_page(client):
    draw = random.Random(1)
    for _ in range(ADDRESSES):
        query = "&".join(f"{draw.choice(KEYS)}={draw.choice(TEXTS)}" for _ in range(draw.randint(1, 5)))
        assert client.get(f"/?{query}").status_code == 200, query


@pytest.mark.slow
def test_other_paths_tell_nothing_and_break_nothing(client):
    draw = random.Random(2)
    for _ in range(OTHERS):
        method, path, body = draw.choice(["GET", "POST", "PUT", "DELETE"]), draw.choice(PATHS), draw.choice(BODIES)
        with client.stream(method, path, content=body) as answer:
            assert answer.status_code < 500, (method, path, body)
            if "file=" in path or "app.py" in path:
                assert answer.status_code >= 400


# the parts ---------------------------------------------------------------------------------------------------------------


def through(path, respond, method="POST"):
    app = Starlette(routes=[Route(path, respond, methods=[method])], middleware=[Middleware(Manners)])
    return TestClient(app, raise_server_exceptions=False).request(method, path)


def test_what_is_said_is_a_refusal_and_what_is_not_stays_a_defect():
    said = through("/run/predict", lambda request: JSONResponse({"error": "no"}, 500))
    assert (said.status_code, said.json()) == (422, {"error": "no"})
    for body in ({"error": None}, {}, []):
        assert through("/run/predict", lambda request, body=body: JSONResponse(body, 500)).status_code == 500
    assert through("/other", lambda request: JSONResponse({"error": "no"}, 500)).status_code == 500
    assert through("/run/predict", lambda request: JSONResponse({"error": "no"})).status_code == 200


def test_a_call_that_cannot_be_read_is_refused_and_a_document_that_breaks_is_a_defect():
    def broken(request):
        raise KeyError("no\nsuch \ud800 event")

    refused = through("/queue/join", broken)
    assert refused.status_code == 422 and refused.json()["error"] == "this call was refused: 'no\\nsuch \\ud800 event'"
    assert through("/", broken, "GET").status_code == 500


def test_a_stream_that_breaks_breaks_and_is_not_ended_as_if_it_were_whole():
    async def broken(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("lost")

    sent = []

    async def send(message):
        sent.append(message)

    for method, path in (("GET", "/gradio_api/queue/data"), ("POST", "/gradio_api/upload")):
        with pytest.raises(RuntimeError, match="lost"):
            awaited(Manners(broken)({"type": "http", "method": method, "path": path}, None, send))
    assert [message["type"] for message in sent] == ["http.response.start"] * 2


@pytest.mark.parametrize(
    ("part", "good", "bad"),
    [
        (lambda: gr.Number(), [1, 0.5, None], ["x", [1], True]),
        (lambda: gr.Slider(0, 1), [1, 0.5], [[1], {}]),
        (lambda: gr.Checkbox(), [True, None], ["x", 3]),
        (lambda: gr.Radio(["a"]), ["a", None], [["a"], {"a": 1}, "b"]),
        (lambda: gr.Dropdown(["a"]), ["a", None], [["a"], []]),
        (lambda: gr.Dropdown(["a"], multiselect=True), [["a"], []], [["b"]]),
    ],
    ids=["number", "slider", "checkbox", "radio", "dropdown", "several"],
)
def test_a_component_takes_what_it_can_be_and_nothing_else(part, good, bad):
    with Page() as page:
        made = part()
        made.change(lambda value: None, made)
    (call,) = page.fns.values()
    for value in good:
        awaited(page.preprocess_data(call, [value], None))
    for value in bad:
        with pytest.raises(Malformed, match="this call was refused"):
            awaited(page.preprocess_data(call, [value], None))
    with pytest.raises(Malformed, match="enough input values"):
        awaited(page.preprocess_data(call, [], None))


@pytest.mark.parametrize("data", [None, {}, {"x": 1}])
def test_an_event_without_what_its_view_sends_is_refused(data):
    event = gr.EventData(None, data)
    with pytest.raises(Malformed):
        sent(event, "query")
    assert data is None or "x" not in data or sent(event, "x") == 1
