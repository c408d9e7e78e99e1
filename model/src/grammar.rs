//! A second reading of HTTP/1.1's grammar, slow and by the letter: RFC 9112 §2 to §7, RFC 9110 §5,
//! and of RFC 3986 what a host is. It imports std only and shares nothing with `server/src/http`.
//!
//! Each function is a rule of the ABNF and has its name. It takes what it matches from the front of
//! a [`Text`], or leaves it as it was. What the grammar alone does not decide, [`read`] does, with
//! the section that says so.

/// What one request turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A request, and its parts.
    Request(Box<Parts>),
    /// None that is whole, with the rule that is not met.
    Refused(&'static str),
}

/// The parts of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The method.
    pub method: Vec<u8>,
    /// The target, as it stands there.
    pub target: Vec<u8>,
    /// The second digit of the version.
    pub minor: u8,
    /// Names and values.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// The content, out of its framing.
    pub content: Vec<u8>,
    /// How many bytes all of it has.
    pub length: usize,
}

/// Text that is still to be read.
#[derive(Clone, Copy, Debug)]
struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// One byte of a kind.
    fn one(&mut self, kind: fn(u8) -> bool) -> Option<u8> {
        let (&byte, rest) = self.0.split_first().filter(|(byte, _)| kind(**byte))?;
        self.0 = rest;
        Some(byte)
    }

    /// As many bytes of a kind as there are: `*kind`.
    fn many(&mut self, kind: fn(u8) -> bool) -> &'a [u8] {
        let count = self.0.iter().take_while(|byte| kind(**byte)).count();
        self.take(count)
    }

    /// `1*kind`.
    fn some(&mut self, kind: fn(u8) -> bool) -> Option<&'a [u8]> {
        Some(self.many(kind)).filter(|bytes| !bytes.is_empty())
    }

    /// These bytes.
    fn literal(&mut self, bytes: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(bytes)?;
        Some(())
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }
}

fn tchar(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'z' | b'|' | b'~')
}

fn vchar(byte: u8) -> bool {
    (0x21..=0x7e).contains(&byte)
}

fn ows(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

fn hexdig(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

/// `field-vchar / SP / HTAB`: what a field value is made of.
fn field_byte(byte: u8) -> bool {
    vchar(byte) || ows(byte) || byte >= 0x80
}

/// `field-line CRLF`, RFC 9112 §5.
fn field_line(text: &mut Text<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let name = text.some(tchar)?;
    text.literal(b":")?;
    let value = text.many(field_byte);
    text.literal(b"\r\n")?;
    let from = value.iter().position(|byte| !ows(*byte)).unwrap_or(value.len());
    let to = value.iter().rposition(|byte| !ows(*byte)).map_or(from, |last| last + 1);
    Some((name.to_vec(), value[from..to].to_vec()))
}

/// `*( field-line CRLF ) CRLF`.
fn field_section(text: &mut Text<'_>) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut fields = Vec::new();
    while text.literal(b"\r\n").is_none() {
        fields.push(field_line(text)?);
    }
    Some(fields)
}

/// `quoted-string`, RFC 9110 §5.6.4.
fn quoted_string(text: &mut Text<'_>) -> Option<()> {
    text.literal(b"\"")?;
    loop {
        text.many(|byte| field_byte(byte) && byte != b'"' && byte != b'\\');
        match text.one(|byte| byte == b'"' || byte == b'\\')? {
            b'"' => return Some(()),
            _ => text.one(field_byte)?,
        };
    }
}

/// `*( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )`, RFC 9112 §7.1.1.
fn chunk_ext(text: &mut Text<'_>) -> Option<()> {
    loop {
        let mut ahead = *text;
        ahead.many(ows);
        if ahead.literal(b";").is_none() {
            return Some(());
        }
        ahead.many(ows);
        ahead.some(tchar)?;
        *text = ahead;
        ahead.many(ows);
        if ahead.literal(b"=").is_some() {
            ahead.many(ows);
            if ahead.some(tchar).is_none() {
                quoted_string(&mut ahead)?;
            }
            *text = ahead;
        }
    }
}

/// `chunked-body`, RFC 9112 §7.1.
fn chunked_body(text: &mut Text<'_>) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let digits = std::str::from_utf8(text.some(hexdig)?).ok()?;
        let significant = digits.trim_start_matches('0');
        let size = if significant.is_empty() { 0 } else { u64::from_str_radix(significant, 16).ok()? };
        chunk_ext(text)?;
        text.literal(b"\r\n")?;
        if size == 0 {
            field_section(text)?;
            return Some(content);
        }
        let size = usize::try_from(size).ok().filter(|size| *size <= text.0.len())?;
        content.extend_from_slice(text.take(size));
        text.literal(b"\r\n")?;
    }
}

/// `uri-host [ ":" port ]`, RFC 3986 §3.2.2 and §3.2.3, to the end of the text.
fn host_and_port(value: &[u8]) -> bool {
    let mut text = Text(value);
    let reg_name = |byte| byte != b'%' && byte != b':' && (unreserved(byte) || sub_delim(byte));
    if text.literal(b"[").is_some() {
        let literal = text.many(|byte| byte != b']');
        let ip =
            std::str::from_utf8(literal).is_ok_and(|literal| literal.parse::<std::net::Ipv6Addr>().is_ok());
        if !(ip || ip_v_future(literal)) || text.literal(b"]").is_none() {
            return false;
        }
    } else {
        loop {
            let before = text.0.len();
            while text.0.first().is_some_and(|byte| reg_name(*byte)) {
                text.take(1);
            }
            if text.literal(b"%").is_some() && (text.one(hexdig).is_none() || text.one(hexdig).is_none()) {
                return false;
            }
            if text.0.len() == before {
                break;
            }
        }
    }
    if text.literal(b":").is_some() {
        text.many(digit);
    }
    text.0.is_empty()
}

/// `"v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`.
fn ip_v_future(literal: &[u8]) -> bool {
    let mut text = Text(literal);
    let version = text.one(|byte| byte == b'v' || byte == b'V').and_then(|_| text.some(hexdig));
    version.and_then(|_| text.literal(b".")).is_some()
        && text.some(|byte| unreserved(byte) || sub_delim(byte) || byte == b':').is_some()
        && text.0.is_empty()
}

fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn sub_delim(byte: u8) -> bool {
    matches!(byte, b'!' | b'$' | b'&'..=b',' | b';' | b'=')
}

/// Whether the target has a form that the method may have, RFC 9112 §3.2.
fn target_form(method: &[u8], target: &[u8]) -> bool {
    if method == b"CONNECT" {
        let has_port = target
            .rsplit(|byte| *byte == b':')
            .next()
            .is_some_and(|port| port.iter().all(u8::is_ascii_digit));
        return host_and_port(target) && target.contains(&b':') && has_port;
    }
    let origin = target.starts_with(b"/");
    let asterisk = target == b"*" && method == b"OPTIONS";
    let scheme = target.split(|byte| *byte == b':').next().unwrap_or_default();
    let rest = &target[scheme.len()..];
    let authority =
        rest.strip_prefix(b"://").map(|rest| rest.split(|byte| *byte == b'/' || *byte == b'?').next());
    let http = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    let absolute = http
        && authority.flatten().is_some_and(|authority| host_and_port(authority) && !authority.is_empty());
    (origin || asterisk || absolute) && !target.contains(&b'#')
}

/// The elements of a list, RFC 9110 §5.6.1.
fn list<'a>(fields: &'a [(Vec<u8>, Vec<u8>)], name: &str) -> Option<Vec<&'a [u8]>> {
    let values = fields.iter().filter(|field| field.0.eq_ignore_ascii_case(name.as_bytes()));
    let mut values = values.peekable();
    values.peek()?;
    let elements = values.flat_map(|field| field.1.split(|byte| *byte == b','));
    Some(elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty()).collect())
}

/// Reads one request from the front of `bytes`.
pub fn read(bytes: &[u8]) -> Reading {
    let mut text = Text(bytes);
    // RFC 9112 §2.2: one empty line before a request is ignored.
    let _ = text.literal(b"\r\n");
    match request(&mut text) {
        Ok(mut parts) => {
            parts.length = bytes.len() - text.0.len();
            Reading::Request(Box::new(parts))
        }
        Err(rule) => Reading::Refused(rule),
    }
}

fn request(text: &mut Text<'_>) -> Result<Parts, &'static str> {
    let method = text.some(tchar).ok_or("method")?.to_vec();
    text.literal(b" ").ok_or("request-line")?;
    let target = text.some(vchar).ok_or("request-target")?.to_vec();
    text.literal(b" HTTP/").ok_or("HTTP-version")?;
    let major = text.one(digit).ok_or("HTTP-version")?;
    text.literal(b".").ok_or("HTTP-version")?;
    let minor = text.one(digit).ok_or("HTTP-version")? - b'0';
    text.literal(b"\r\n").ok_or("request-line")?;
    let fields = field_section(text).ok_or("field-line")?;
    if major != b'1' {
        return Err("RFC 9110 §15.6.6");
    }
    if !target_form(&method, &target) {
        return Err("RFC 9112 §3.2");
    }
    let hosts: Vec<_> = fields.iter().filter(|field| field.0.eq_ignore_ascii_case(b"host")).collect();
    if hosts.len() > 1 || (hosts.is_empty() && minor > 0) || hosts.iter().any(|host| !host_and_port(&host.1))
    {
        return Err("RFC 9112 §3.2, Host");
    }
    let content = message_body(text, minor, &fields)?;
    Ok(Parts { method, target, minor, fields, content, length: 0 })
}

/// RFC 9112 §6.3.
fn message_body(
    text: &mut Text<'_>,
    minor: u8,
    fields: &[(Vec<u8>, Vec<u8>)],
) -> Result<Vec<u8>, &'static str> {
    let codings = list(fields, "transfer-encoding");
    let has_length = fields.iter().any(|field| field.0.eq_ignore_ascii_case(b"content-length"));
    if let Some(codings) = codings {
        let chunked = codings.len() == 1 && codings[0].eq_ignore_ascii_case(b"chunked");
        if minor == 0 || has_length || !chunked {
            return Err("RFC 9112 §6.3, Transfer-Encoding");
        }
        return chunked_body(text).ok_or("chunked-body");
    }
    let Some(lengths) = list(fields, "content-length") else { return Ok(Vec::new()) };
    let numbers = lengths.iter().map(|length| {
        let digits = std::str::from_utf8(length).ok().filter(|length| length.bytes().all(digit))?;
        digits.parse::<u64>().ok()
    });
    let numbers: Option<Vec<u64>> = numbers.collect();
    match numbers.as_deref() {
        // A list of equal lengths may be taken as one.
        Some([first, others @ ..]) if others.iter().all(|other| other == first) => {
            let length = usize::try_from(*first).ok().filter(|length| *length <= text.0.len());
            length.map(|length| text.take(length).to_vec()).ok_or("message-body")
        }
        _ => Err("RFC 9112 §6.3, Content-Length"),
    }
}
