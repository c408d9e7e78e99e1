//! Listings of directories: what is asked for, and the page that answers it, as HTML or JSON.

mod html;
mod json;
mod query;
mod shown;
mod time;

use std::borrow::Cow;

pub(super) use html::POLICY;

use query::Words;

use super::reply::{self, Reply};
use super::{accept, link};
use crate::http::request::Request;
use crate::http::status::Status;
use crate::limits::Limits;
use crate::store::condition::{Condition, There, Verdict};
use crate::store::listing::{Listing, Place, View};
use crate::store::operation::Operation;
use crate::store::path::FilePath;

/// What is asked of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which directory.
    path: FilePath,
    /// Which of its entries.
    view: View,
    /// In which form.
    form: Form,
    /// The form was chosen in the target, and not left to `Accept`.
    form_is_explicit: bool,
    /// What the request's conditions come to where a directory is there.
    verdict: Verdict,
    /// Directories are listed at all.
    listed: bool,
    /// Whoever asks wants to say who it is, and then be answered.
    sign_in: bool,
    /// What the page has tools for.
    offers: Offers,
}

/// What a page offers to whoever asked for it: what that one may do with all that is in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offers {
    /// Uploads where nothing is.
    pub create: bool,
    /// Uploads in the place of files, each of which is looked at before.
    pub replace: bool,
    /// Removals.
    pub delete: bool,
    /// To say who one is, as that may allow more.
    pub sign_in: bool,
}

impl Offers {
    /// Where everybody may do everything.
    pub const ALL: Offers = Offers { create: true, replace: true, delete: true, sign_in: false };

    fn upload(self) -> bool {
        self.create || self.replace
    }

    fn any_change(self) -> bool {
        self.upload() || self.delete
    }
}

/// The forms of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Html,
    Json,
}

/// What a listing's target can be wrong in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub(super) &'static str);

impl Malformed {
    /// One sentence for the peer.
    pub fn reason(self) -> &'static str {
        self.0
    }
}

fn preferred(request: &Request<'_>) -> Form {
    let json = accept::prefers(request.values("accept"), &["application/json"], "text/html");
    if json { Form::Json } else { Form::Html }
}

/// Reads what is asked of a directory.
///
/// # Errors
/// Where the query has a word for listings with a value that means nothing.
pub fn read(
    request: &Request<'_>,
    path: FilePath,
    condition: Option<&Condition>,
    limits: &Limits,
) -> Result<Asked, Malformed> {
    let Words { view, form, sign_in } = query::read(request.query(), limits)?;
    Ok(Asked {
        path,
        view,
        form: form.unwrap_or_else(|| preferred(request)),
        form_is_explicit: form.is_some(),
        verdict: condition.map_or(Verdict::Holds, |condition| condition.judge(There::Directory, true)),
        listed: limits.directories.listed,
        sign_in,
        offers: Offers::ALL,
    })
}

impl Asked {
    /// Which directory.
    pub fn path(&self) -> &FilePath {
        &self.path
    }

    /// Whether whoever asks wants to say who it is first.
    pub fn wants_to_sign_in(&self) -> bool {
        self.sign_in
    }

    /// What its page offers.
    pub fn offers(&self) -> Offers {
        self.offers
    }

    /// Has no more on its page than `offers`.
    pub fn offering(&mut self, offers: Offers) {
        self.offers = offers;
    }

    /// What has to be asked of the store.
    pub fn operation(&self) -> Operation {
        let mut view = self.view.clone();
        if !self.listed {
            // Only whether a directory is there: that takes no pass over it.
            (view.after, view.entries_max) = (Place::Position(0), 1);
        }
        Operation::List(self.path.clone(), Box::new(view))
    }

    /// The file that is served in place of a listing, where it is there.
    pub fn index(&self, limits: &Limits) -> Option<FilePath> {
        let name = limits.directories.index.as_deref().filter(|_| !self.form_is_explicit)?;
        self.path.child(name.as_bytes())
    }

    /// The answer where the directory is there.
    pub fn answer(&self, listing: &Listing) -> Reply<'static> {
        if !self.listed {
            return reply::refusal(Status::FORBIDDEN, "not-listed", "directories are not listed here");
        }
        // RFC 9110 §13.2.1: only what would succeed is subject to conditions.
        match self.verdict {
            Verdict::Fails => {
                let reason = "what is there is not what the request demands";
                return reply::refusal(Status::PRECONDITION_FAILED, "condition-fails", reason);
            }
            // RFC 9110 §15.4.5: with what would have been sent about the form.
            Verdict::NotModified => return Reply { fields: FIELDS, ..reply::directory_not_modified() },
            Verdict::Holds => {}
        }
        let (media_type, fields, content) = match self.form {
            Form::Html if self.offers.any_change() => (reply::HTML, TOOLS_FIELDS, html::page(self, listing)),
            Form::Html => (reply::HTML, HTML_FIELDS, html::page(self, listing)),
            Form::Json => ("application/json", FIELDS, json::document(self, listing)),
        };
        Reply { fields, ..reply::text(media_type, Cow::Owned(content)) }
    }

    /// The target of a page of the same directory in the same form and order, relative to any of them.
    fn page_at(&self, place: &Place) -> String {
        let view = View { after: place.clone(), ..self.view.clone() };
        query::write(&view, self.form_is_explicit.then_some(self.form))
    }

    /// Its own target.
    fn location(&self) -> String {
        link::folder_location(&self.path).into_iter().map(char::from).collect()
    }
}

/// RFC 9110 §12.5.5: the form depends on `Accept`; what is offered on who asks, which needs no `Authorization`
/// there. RFC 9111 §5.2.2.5: nothing says when a listing is no longer what is there, so nobody keeps one, and
/// nobody is shown what was made for another.
const FIELDS: &[(&str, &str)] = &[("Vary", "Accept"), ("Cache-Control", "no-store")];
const HTML_FIELDS: &[(&str, &str)] =
    &[FIELDS[0], FIELDS[1], html::POLICY, ("Referrer-Policy", "no-referrer")];
/// Of a page with the tools, and so with their script.
const TOOLS_FIELDS: &[(&str, &str)] = &[FIELDS[0], FIELDS[1], html::TOOLS_POLICY, HTML_FIELDS[3]];
