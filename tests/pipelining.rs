//! However the bytes of many requests are cut, they get the same answers in the same order.

use tests::{Answer, Server, request};

/// A session that uses every kind of framing, and whose answers depend on their order.
fn session() -> (Vec<u8>, Vec<&'static str>) {
    let requests: Vec<Vec<u8>> = vec![
        request("GET /echo/first", ""),
        request("POST /files/a", "one"),
        request("GET /files/a", ""),
        "PATCH /files/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\n+\r\n3\r\ntwo\r\n0\r\nT: u\r\n\r\n".into(),
        request("HEAD /files/a", ""),
        request("GET /files/a", ""),
        request("PUT /files/a", ""),
        request("GET /files/a", ""),
        request("POST /files/a", "refused"),
        request("OPTIONS /files/a", ""),
        request("POST /echo/a", "refused"),
        request("DELETE /files/a", ""),
        request("GET /files/a", ""),
        "GET /user-agent HTTP/1.1\r\nHost: h\r\nUser-Agent: last\r\nConnection: close\r\n\r\n".into(),
    ];
    let method = |request: &Vec<u8>| {
        if request.starts_with(b"HEAD") { "HEAD" } else { "GET" }
    };
    (requests.concat(), requests.iter().map(method).collect())
}

fn answers(server: &Server, pieces: &mut dyn Iterator<Item = &[u8]>) -> Vec<Answer> {
    let (_, methods) = session();
    let mut client = server.connect();
    for piece in pieces {
        client.send(piece);
    }
    let answers = methods.iter().map(|method| client.answer(method).without_date()).collect();
    client.expect_end();
    answers
}

#[test]
fn answers_come_in_order() {
    let server = Server::start(&[]);
    let (bytes, _) = session();
    let answers = answers(&server, &mut std::iter::once(&*bytes));
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 201, 200, 200, 200, 200, 200, 200, 409, 204, 405, 200, 404, 200]);
    let contents: Vec<&str> = [0, 2, 5, 7, 13].iter().map(|&index| answers[index].text()).collect();
    assert_eq!(contents, ["first", "one", "one+two", "", "last"]);
}

/// Without what tells one run from another.
fn same(mut answers: Vec<Answer>) -> Vec<Answer> {
    for answer in &mut answers {
        answer.fields.remove("etag");
        answer.fields.remove("last-modified");
    }
    answers
}

#[test]
fn however_the_bytes_are_cut_the_answers_are_the_same() {
    let server = Server::start(&[]);
    let (bytes, _) = session();
    let whole = same(answers(&server, &mut std::iter::once(&*bytes)));
    for length in [1, 2, 3, 7, 50] {
        assert_eq!(same(answers(&server, &mut bytes.chunks(length))), whole, "in pieces of {length}");
    }
    for at in (1..bytes.len()).step_by(11) {
        let (first, second) = bytes.split_at(at);
        assert_eq!(same(answers(&server, &mut [first, second].into_iter())), whole, "cut at {at}");
    }
}

#[test]
fn many_requests_in_one_write_are_all_answered() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for _ in 0..3 {
        let requests: Vec<u8> =
            (0..1000).flat_map(|number| request(&format!("GET /echo/{number}"), "")).collect();
        client.send(requests);
        for number in 0..1000 {
            assert_eq!(client.answer("GET").text(), number.to_string());
        }
    }
    client.expect_alive();
}

#[test]
fn reads_of_files_are_pipelined_behind_writes_of_them() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let mut requests = Vec::new();
    for number in 0..100 {
        requests.extend(request("PUT /files/a", number.to_string()));
        requests.extend(request("GET /files/a", ""));
    }
    client.send(requests);
    for number in 0..100 {
        assert_eq!(client.answer("PUT").status, if number == 0 { 201 } else { 200 });
        assert_eq!(client.answer("GET").text(), number.to_string());
    }
    client.expect_alive();
}
