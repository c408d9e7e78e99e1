"""Python's own HTTP clients against a server; its host and port are the arguments."""

import http.client
import io
import sys
import urllib.error
import urllib.request

host, port = sys.argv[1], int(sys.argv[2])
content = bytes(range(256)) * 8192  # 2 MiB


def expect(what, actual, expected):
    if actual != expected:
        sys.exit(f"{what}: {actual!r:.200} is not {expected!r:.200}")


connection = http.client.HTTPConnection(host, port, timeout=60)
connection.connect()
socket = connection.sock


def ask(method, target, expected, **arguments):
    connection.request(method, target, **arguments)
    answer = connection.getresponse()
    received = answer.read()
    expect(f"{method} {target}", answer.status, expected)
    expect("the connection", connection.sock is socket, True)
    return answer, received


ask("PUT", "/files/python", 201, body=content)
expect("content", ask("GET", "/files/python", 200)[1], content)
answer, received = ask("HEAD", "/files/python", 200)
expect("HEAD", (answer.getheader("Content-Length"), received), (str(len(content)), b""))
# Without a length http.client sends chunks.
pieces = (content[begin : begin + 100_000] for begin in range(0, len(content), 100_000))
ask("PUT", "/files/python", 200, body=pieces)
ask("PATCH", "/files/python", 200, body=io.BytesIO(b"end"))
expect("appended", ask("GET", "/files/python", 200)[1], content + b"end")
ask("POST", "/files/python", 409, body=b"short")
ask("BREW", "/echo/a", 501)
ask("DELETE", "/files/python", 200)
ask("GET", "/files/python", 404)
# A refusal closes the connection over so much content, but it arrives, and the client opens another.
connection.request("POST", "/echo/a", body=content)
answer = connection.getresponse()
expect("a refusal", (answer.status, answer.getheader("Connection"), answer.read() != b""), (405, "close", True))
connection.request("GET", "/echo/again")
expect("a new connection", connection.getresponse().read(), b"again")

url = f"http://{host}:{port}"
with urllib.request.urlopen(f"{url}/echo/hello%20world") as answer:
    expect("urllib", (answer.status, answer.read()), (200, b"hello world"))
with urllib.request.urlopen(urllib.request.Request(f"{url}/files/urllib", content, method="PUT")) as answer:
    expect("urllib PUT", answer.status, 201)
with urllib.request.urlopen(f"{url}/files/urllib") as answer:
    expect("urllib GET", answer.read(), content)
try:
    urllib.request.urlopen(f"{url}/files/none")
    sys.exit("urllib takes 404 for a success")
except urllib.error.HTTPError as error:
    expect("urllib 404", (error.code, error.read() != b""), (404, True))
