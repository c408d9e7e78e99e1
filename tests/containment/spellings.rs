//! Every way to write `..`, an absolute path, and the server's own name.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use tests::{Client, Server, ledger, tree};

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

fn furnished(flags: &[&str]) -> Server {
    let server = Server::start(flags);
    fs::create_dir_all(server.directory().join("a/b")).unwrap();
    fs::write(server.directory().join("a/file"), "inside").unwrap();
    fs::create_dir(server.outside("outside")).unwrap();
    fs::write(server.outside("outside").join("secret"), "not for them").unwrap();
    server
}

/// Each method on a target, as it is; all have to have one of these statuses.
#[track_caller]
fn check_all(server: &Server, client: &mut Client, target: &str, expected: &[u16]) {
    for method in METHODS {
        let content = if method.starts_with('P') { "written" } else { "" };
        let answer = client.ask(&format!("{method} {target}"), content);
        assert!(expected.contains(&answer.status), "{method} {target}: {}", answer.status);
        let told = answer.content.windows(12).any(|bytes| bytes == b"not for them");
        assert!(!told, "{method} {target} got out");
        if answer.closes() {
            *client = server.connect();
        }
    }
}

#[test]
fn no_spelling_of_two_dots_leads_out() {
    let server = furnished(&["--quiet"]);
    let before = (tree(server.directory()), tree(&server.outside("outside")));
    let mut client = server.connect();
    let mut count = 0;
    let dots = [".", "%2e", "%2E"];
    for first in dots {
        for second in dots {
            let up = format!("{first}{second}");
            for (start, levels) in [("", 1), ("a/", 2), ("a/b/", 3), ("a/file/", 3), ("missing/", 2)] {
                for slash in ["/", "%2f", "%2F"] {
                    let climb = format!("{up}{slash}").repeat(levels);
                    for end in ["outside/secret", "outside/new", "outside/secret/", ""] {
                        check_all(&server, &mut client, &format!("/files/{start}{climb}{end}"), &[400]);
                        count += METHODS.len();
                    }
                }
            }
            // One dot is none either, nor is what leads back in again.
            check_all(&server, &mut client, &format!("/files/{first}"), &[400]);
            check_all(&server, &mut client, &format!("/files/a/{first}/file"), &[400]);
            check_all(&server, &mut client, &format!("/files/a/b/{up}/file"), &[400]);
            check_all(&server, &mut client, &format!("/files/{up}?query"), &[400]);
            check_all(&server, &mut client, &format!("/files/{up}%00/outside/secret"), &[400]);
        }
    }
    assert_eq!((tree(server.directory()), tree(&server.outside("outside"))), before);
    ledger::record("containment:dots", &[("requests", count as u64)]);
}

#[test]
fn what_only_looks_like_two_dots_is_a_name() {
    let server = furnished(&["--quiet"]);
    let outside = tree(&server.outside("outside"));
    let mut client = server.connect();
    for (target, name) in [
        // Decoded once, and not again.
        ("%252e%252e", &b"%2e%2e"[..]),
        ("%252e%252e%252foutside%252fsecret", b"%2e%2e%2foutside%2fsecret"),
        ("..%252foutside", b"..%2foutside"),
        ("%25%32%65%25%32%65", b"%2e%2e"),
        // Longer ways to write a byte, and other letters that look like it.
        ("%c0%ae%c0%ae/outside", b"\xc0\xae\xc0\xae/outside"),
        ("%e0%80%ae%e0%80%ae/outside", b"\xe0\x80\xae\xe0\x80\xae/outside"),
        ("%ef%bc%8e%ef%bc%8e/outside", b"\xef\xbc\x8e\xef\xbc\x8e/outside"),
        ("%e2%80%a5/outside", b"\xe2\x80\xa5/outside"),
        ("..%c0%afoutside", b"..\xc0\xafoutside"),
        // Separators of other systems.
        ("..%5c..%5coutside%5csecret", b"..\\..\\outside\\secret"),
        ("..\\..\\outside\\secret", b"..\\..\\outside\\secret"),
        ("a\\..\\..\\outside", b"a\\..\\..\\outside"),
        ("C:%5coutside", b"C:\\outside"),
        ("..%3b/outside", b"..;/outside"),
        ("..;/outside", b"..;/outside"),
        ("...", b"..."),
        ("..../outside", b"..../outside"),
        ("..%20/outside", b".. /outside"),
        ("%20../outside", b" ../outside"),
        ("..%0a/outside", b"..\n/outside"),
        ("..%0d/outside", b"..\r/outside"),
        ("~/outside", b"~/outside"),
        ("%24HOME/outside", b"$HOME/outside"),
        ("%2a", b"*"),
    ] {
        let path = server.directory().join(OsStr::from_bytes(name));
        let line = |method: &str| format!("{method} /files/{target}");
        assert_eq!(client.ask(&line("PUT"), target).status, 201, "{target}");
        assert_eq!(fs::read(&path).unwrap(), target.as_bytes(), "{target}");
        assert_eq!(client.ask(&line("GET"), "").text(), target);
        assert_eq!(client.ask(&line("DELETE"), "").status, 200, "{target}");
        assert!(!path.exists());
    }
    assert_eq!(tree(&server.outside("outside")), outside);
}

#[test]
fn no_absolute_path_leads_out() {
    let server = furnished(&["--quiet"]);
    let outside = server.outside("outside");
    let secret = outside.join("secret");
    let secret = secret.to_str().unwrap();
    let encoded = secret.replace('/', "%2F");
    let before = (tree(server.directory()), tree(&outside));
    let mut client = server.connect();
    let mut check = |target: String, expected: &[u16]| check_all(&server, &mut client, &target, expected);
    // In `/files/` an empty segment, and an encoded slash, are no names.
    for path in [secret, &encoded, &format!("/{secret}"), &format!("a/{secret}"), &format!("a{encoded}")] {
        check(format!("/files/{path}"), &[400]);
        check(format!("http://h/files/{path}"), &[400]);
        check(format!("http://{}/files/{path}", server.address()), &[400]);
    }
    for target in [
        secret.to_owned(),
        format!("/{secret}"),
        format!("http://h{secret}"),
        format!("http://h/{secret}"),
        format!("/files{encoded}"),
        "/../outside/secret".to_owned(),
        "/x/../files/a/file".to_owned(),
        "/../files/a/file".to_owned(),
        "/./files/a/file".to_owned(),
        "//files/a/file".to_owned(),
        "/files%2fa%2ffile".to_owned(),
        "/files%2f..%2f..%2foutside%2fsecret".to_owned(),
        "http://h/../files/a/file".to_owned(),
        "http://h//files/a/file".to_owned(),
    ] {
        check(target, &[404]);
    }
    for target in ["/files/../outside/secret", "/files/../files/a/file", "http://h/files/../outside/secret"] {
        check(target.to_owned(), &[400]);
    }
    // RFC 9112 §3.2: no form of a target that a file has.
    for target in [
        format!("file://{secret}"),
        format!("file://h{secret}"),
        format!("ftp://h/files{secret}"),
        "../outside/secret".to_owned(),
        "files/a/file".to_owned(),
        format!("http:{secret}"),
        format!("http://{secret}"),
        format!("/files/a/file#{secret}"),
        "*".to_owned(),
    ] {
        check(target, &[400]);
    }
    assert_eq!((tree(server.directory()), tree(&outside)), before);
}

/// Every spelling of the server's own name: any of its bytes may be encoded, in either case.
fn spellings() -> Vec<String> {
    let name = ".http_server";
    let lower = |byte: u8| format!("%{byte:02x}");
    let upper = |byte: u8| format!("%{byte:02X}");
    let mut spellings = vec![name.to_owned()];
    spellings.push(name.bytes().map(lower).collect());
    spellings.push(name.bytes().map(upper).collect());
    for at in 0..name.len() {
        for encode in [&lower as &dyn Fn(u8) -> String, &upper] {
            spellings.push(format!("{}{}{}", &name[..at], encode(name.as_bytes()[at]), &name[at + 1..]));
        }
    }
    spellings
}

#[test]
fn the_server_s_own_name_is_400_in_any_place_and_spelling() {
    let server = furnished(&["--quiet"]);
    let own = server.directory().join(".http_server");
    fs::write(own.join("0"), "not for them").unwrap();
    let before = (tree(server.directory()), tree(&own));
    let mut client = server.connect();
    let spellings = spellings();
    for name in &spellings {
        for path in [
            name.clone(),
            format!("{name}/"),
            format!("{name}/0"),
            format!("a/{name}"),
            format!("a/{name}/0"),
            format!("missing/{name}/{name}"),
            format!("a/file/{name}"),
        ] {
            check_all(&server, &mut client, &format!("/files/{path}"), &[400]);
        }
    }
    assert_eq!((tree(server.directory()), tree(&own)), before);
    ledger::record("containment:own_name", &[("spellings", spellings.len() as u64)]);
    // What is not that name to the last byte is a name like any other.
    for name in [
        ".HTTP_SERVER",
        ".Http_server",
        "http_server",
        ".http_serve",
        ".http_server_",
        ".http_server.",
        ".http_server%20",
        ".http-server",
        "%252ehttp_server",
    ] {
        assert_eq!(client.ask(&format!("PUT /files/{name}/file"), "x").status, 201, "{name}");
        assert_eq!(client.ask(&format!("GET /files/{name}/file"), "").text(), "x", "{name}");
    }
    assert_eq!(fs::read(own.join("0")).unwrap(), b"not for them");
}

/// Links to follow are another way to name something; not to name what has no name.
#[test]
fn no_link_leads_to_the_server_s_own_directory() {
    for flags in [&["--quiet"][..], &["--quiet", "--follow-symlinks"]] {
        let server = furnished(flags);
        let own = server.directory().join(".http_server");
        fs::write(own.join("0"), "not for them").unwrap();
        symlink(".http_server", server.directory().join("own")).unwrap();
        symlink("own", server.directory().join("again")).unwrap();
        symlink("../.http_server/0", server.directory().join("a/staged")).unwrap();
        symlink(".", server.directory().join("here")).unwrap();
        let mut client = server.connect();
        for path in ["own", "own/0", "again/0", "a/staged", "here/own/0", "here/here/own/0"] {
            check_all(&server, &mut client, &format!("/files/{path}"), &[403]);
        }
        // Content for what can only be a directory is refused before anybody looks.
        check_all(&server, &mut client, "/files/own/", &[403, 409]);
        check_all(&server, &mut client, "/files/here/.http_server/0", &[400]);
        // The content of a directory, where it is shown, is without it.
        for path in ["", "a/", "here/"] {
            let answer = client.ask(&format!("GET /files/{path}"), "");
            let shown = answer.content.windows(12).any(|bytes| bytes == b".http_server");
            assert!(!shown, "{path}: {}", answer.text());
        }
        assert_eq!(fs::read(own.join("0")).unwrap(), b"not for them");
    }
}
