//! Whether another site's page made a browser send a request: [`is_from_another_site`].

use crate::http::request::Request;

/// Whether a page of another site has made a browser send this. Without the fields that browsers send, it
/// is no browser, or its user has asked for it.
pub(super) fn is_from_another_site(request: &Request<'_>) -> bool {
    // Fetch Metadata §2.3: says it best, but browsers leave it out on http, other than to this machine.
    let mut sites = request.values("sec-fetch-site");
    if let Some(site) = sites.next() {
        let own = |site: &[u8]| site == b"same-origin" || site == b"none";
        return !own(site) || sites.next().is_some();
    }
    // RFC 6454 §7.3: `null`, or `scheme://host:port`. The scheme is left out: a proxy may have spoken TLS.
    let (host, mut origins) = (request.single_value("host"), request.values("origin"));
    let is_own = |origin: &[u8]| {
        let end = memchr::memmem::find(origin, b"://").map(|at| at + 3);
        let authority = end.and_then(|end| origin.get(end..));
        authority.zip(host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
    };
    !origins.all(is_own)
}
