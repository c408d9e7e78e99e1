//! Peers that do not speak TLS, or not to its end.

use super::*;

/// What comes from the server until it closes, which it has to do by itself.
fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("it does not close: {error}"),
        _ => received,
    }
}

fn bystander_is_served(identity: &Identity, server: &Server) {
    let mut bystander = identity.trust().connect(server.address()).unwrap();
    assert_eq!(status(&bystander.ask("GET /echo/a", b"")), "200");
}

#[test]
fn who_does_not_speak_tls_is_refused_and_holds_nothing() {
    let identity = Identity::new();
    let server = identity.server(&["--head-seconds-max", "1"]);
    let descriptors = server.descriptors();
    let hello = {
        let mut hello = Vec::new();
        identity.trust().begin().write_tls(&mut hello).unwrap();
        hello
    };
    let mut twice = hello.clone();
    twice.extend_from_slice(&hello);
    let mut wrong_length = hello.clone();
    wrong_length[3..5].copy_from_slice(&[0xff, 0xff]);
    let zeroes = vec![0; 100_000];
    let cases: [&[u8]; 9] = [
        &zeroes,
        &[0xff; 1000],
        &[22, 3, 1],
        &[22, 3, 1, 0, 0],
        &[23, 3, 3, 0, 2, 1, 1],
        &[21, 3, 3, 0, 2, 1, 0],
        &twice,
        &wrong_length,
        &[22, 3, 3, 0x40, 0, 1, 0xff, 0xff, 0xff],
    ];
    for bytes in cases {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        // It may have closed before it has taken everything.
        let _ = stream.write_all(bytes);
        let answer = until_closed(&mut stream);
        assert!(!answer.starts_with(b"HTTP"), "{}", answer.escape_ascii());
        bystander_is_served(&identity, &server);
    }
    // Each part of a hello, and then nothing, or an end.
    for end in [1, hello.len() / 2, hello.len() - 1] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(&hello[..end]).unwrap();
        assert_eq!(until_closed(&mut stream), b"", "{end}");
        bystander_is_served(&identity, &server);
    }
    eventually("all descriptors are back", || server.descriptors() <= descriptors);
    ledger::record("tls:hostile", &[("cases", cases.len() as u64 + 3)]);
}

/// A handshake has the time of a head, however it is spent.
#[test]
fn a_handshake_that_does_not_end_is_closed_by_its_time_limit() {
    let identity = Identity::new();
    let server = identity.server(&["--head-seconds-max", "0.5", "--idle-seconds-max", "600"]);
    // Nothing at all; a part; everything but its own last word, with a byte now and then.
    let mut hello = Vec::new();
    identity.trust().begin().write_tls(&mut hello).unwrap();
    for part in [0, hello.len() / 2, hello.len()] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(&hello[..part]).unwrap();
        until_closed(&mut stream);
    }
    let mut slow = TcpStream::connect(server.address()).unwrap();
    let mut sent = 0;
    while slow.write_all(&hello[sent..=sent]).is_ok() {
        sent += 1;
        assert!(sent < hello.len(), "a byte now and then keeps it open");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // Who is through has the time of idle connections from there on.
    let mut through = identity.trust().connect(server.address()).unwrap();
    let mut later = TcpStream::connect(server.address()).unwrap();
    until_closed(&mut later);
    assert_eq!(status(&through.ask("GET /echo/a", b"")), "200");
}

#[test]
fn plain_http_is_told_to_speak_tls() {
    let identity = Identity::new();
    let server = identity.server(&[]);
    for request in
        ["GET / HTTP/1.1\r\nHost: h\r\n\r\n", "PUT /files/a HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde"]
    {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let answer = String::from_utf8(until_closed(&mut stream)).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        let (head, content) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(content, "this port speaks TLS: use https\n");
        assert!(head.contains(&format!("Content-Length: {}", content.len())), "{head}");
    }
    assert!(!server.directory().join("a").exists());
}

#[test]
fn old_versions_and_other_protocols_are_refused() {
    let identity = Identity::new();
    let server = identity.server(&[]);
    let mut trust = identity.trust();
    trust.protocols = vec![b"h2".to_vec(), b"http/1.0".to_vec()];
    assert!(trust.connect(server.address()).is_err());
    trust.protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let peer = trust.connect(server.address()).unwrap();
    assert_eq!(peer.tls.alpn_protocol(), Some(&b"http/1.1"[..]));
    trust.protocols.clear();
    assert!(trust.connect(server.address()).is_ok());
    // TLS 1.1 and what is older, and a second handshake within a connection, as openssl offers them.
    let openssl = |words: &[&str], input: &str| {
        let address = server.address().to_string();
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &address, "-servername", "localhost"]).args(words);
        let output = assert_cmd::Command::from_std(command).timeout(PATIENCE).write_stdin(input).output();
        output.map(|output| {
            let text = [output.stdout, output.stderr].concat();
            String::from_utf8_lossy(&text).into_owned()
        })
    };
    let Ok(now) = openssl(&["-tls1_2", "-quiet"], "GET /echo/a HTTP/1.0\r\n\r\n") else {
        ledger::skipped("tls:openssl", "openssl is not installed");
        return;
    };
    assert!(now.contains("HTTP/1.1 200 "), "{now}");
    for old in ["-tls1", "-tls1_1"] {
        let refused = openssl(&[old, "-cipher", "ALL:@SECLEVEL=0"], "").unwrap();
        assert!(!refused.contains("Cipher is ECDHE"), "{old}: {refused}");
    }
    // `R` alone in a line asks for it.
    let again = openssl(&["-tls1_2"], "R\nGET /echo/b HTTP/1.0\r\n\r\n").unwrap();
    assert!(!again.contains("HTTP/1.1 200 "), "{again}");
    bystander_is_served(&identity, &server);
}

#[test]
fn garbage_within_a_connection_ends_it_behind_what_was_asked_before() {
    let identity = Identity::new();
    let server = identity.server(&[]);
    let mut peer = identity.trust().connect(server.address()).unwrap();
    let mut records = peer.seal(b"GET /echo/before HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut broken = peer.seal(b"PUT /files/a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na");
    let last = broken.len() - 1;
    broken[last] ^= 1;
    records.append(&mut broken);
    peer.stream.write_all(&records).unwrap();
    let (rest, _) = peer.rest();
    let rest = String::from_utf8_lossy(&rest).into_owned();
    assert!(rest.is_empty() || rest.ends_with("before"), "{rest}");
    assert!(!server.directory().join("a").exists());
    bystander_is_served(&identity, &server);
}

#[test]
fn a_connection_beyond_the_bound_is_closed() {
    let identity = Identity::new();
    let server = identity.server(&["--connections-max", "2"]);
    let trust = identity.trust();
    let mut held = [(); 2].map(|()| trust.connect(server.address()).unwrap());
    assert!(trust.connect(server.address()).is_err());
    assert_eq!(status(&held[1].ask("GET /echo/a", b"")), "200");
    drop(held);
    eventually("there is room again", || trust.connect(server.address()).is_ok());
}
