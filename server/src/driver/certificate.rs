//! The certificate that the server shows, and its key, from their files: [`Certificate`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};

use crate::shared::current::Current;

/// The files of a certificate and its key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, and behind it those that lead to one that is known to peers.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What new connections are secured with.
pub struct Certificate {
    files: CertificateFiles,
    current: Arc<Current<ServerConfig>>,
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// Where they cannot be used, or not with each other.
    pub fn read(files: CertificateFiles) -> Result<Certificate, CertificateError> {
        let current = Arc::new(Current::new(configuration(&files)?));
        Ok(Certificate { files, current })
    }

    /// Reads the files again, for connections that come from now on.
    ///
    /// # Errors
    /// As at the start; then the old one stays in use.
    pub fn read_again(&self) -> Result<(), CertificateError> {
        self.current.replace(configuration(&self.files)?);
        Ok(())
    }

    /// What is read: the certificate's file and the key's.
    pub fn files(&self) -> [&Path; 2] {
        [&self.files.certificate, &self.files.key]
    }

    /// What is in use.
    pub fn current(&self) -> &Arc<Current<ServerConfig>> {
        &self.current
    }
}

fn configuration(files: &CertificateFiles) -> Result<Arc<ServerConfig>, CertificateError> {
    let unread = |file: &Path| {
        let file = file.to_owned();
        move |error| CertificateError { file, reason: Reason::Read(error) }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unread(&files.certificate))?;
    if chain.is_empty() {
        return Err(unread(&files.certificate)(pem::Error::NoItemsFound));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unread(&files.key))?;
    let unused = |error| CertificateError { file: files.certificate.clone(), reason: Reason::Use(error) };
    // Named and not taken from the process: whatever else is linked in has no say.
    let provider = Arc::new(default_provider());
    let mut configuration = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(unused)?;
    // RFC 7301: a peer that wants none of these is refused in the handshake.
    configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
    // What a session is resumed by is kept by the peers: no table of ours grows with them.
    configuration.ticketer = Ticketer::new().map_err(unused)?;
    configuration.max_early_data_size = 0;
    Ok(Arc::new(configuration))
}

/// Why a certificate cannot be used.
#[derive(Debug)]
pub struct CertificateError {
    file: PathBuf,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Read(pem::Error),
    Use(rustls::Error),
}

impl fmt::Display for CertificateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cannot use {}: ", self.file.display())?;
        match &self.reason {
            Reason::Read(pem::Error::Io(error)) => {
                write!(formatter, "{error}; --tls-certificate and --tls-key want files that the server may read")
            }
            Reason::Read(pem::Error::NoItemsFound) => formatter.write_str(
                "it holds nothing of the kind; --tls-certificate wants CERTIFICATE sections in PEM, the server's \
                 first, and --tls-key a PRIVATE KEY without a password",
            ),
            Reason::Read(error) => write!(formatter, "it is no PEM: {error}"),
            Reason::Use(rustls::Error::InconsistentKeys(_)) => {
                formatter.write_str("the key is that of another certificate; name the files of one pair")
            }
            Reason::Use(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for CertificateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::Read(error) => Some(error),
            Reason::Use(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A certificate and its key.
    fn pair() -> (String, String) {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (pair.cert.pem(), pair.signing_key.serialize_pem())
    }

    #[test]
    fn files_that_cannot_be_used_are_refused_with_their_names() {
        let home = tempfile::tempdir().unwrap();
        let files = CertificateFiles { certificate: home.path().join("c"), key: home.path().join("k") };
        let refusal = |certificate: &str, key: &str| {
            fs::write(&files.certificate, certificate).unwrap();
            fs::write(&files.key, key).unwrap();
            let error = Certificate::read(files.clone()).err().unwrap().to_string();
            assert!(!error.contains('\n'), "{error}");
            error
        };
        let ((certificate, key), (_, other_key)) = (pair(), pair());
        assert!(refusal(&certificate, "").contains("/k: it holds nothing of the kind"));
        assert!(refusal("", &key).contains("/c: it holds nothing of the kind"));
        assert!(refusal(&key, &key).contains("/c: it holds nothing of the kind"));
        assert!(refusal(&certificate, &certificate).contains("/k: it holds nothing of the kind"));
        assert!(refusal(&certificate, &other_key).contains("another certificate"));
        assert!(refusal(&certificate[..100], &key).contains("/c: it is no PEM"));
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(refusal(garbage, &key).contains("/c: "));
        fs::remove_file(&files.key).unwrap();
        fs::write(&files.certificate, &certificate).unwrap();
        let missing = Certificate::read(files.clone()).err().unwrap().to_string();
        assert!(missing.contains("/k: No such file"), "{missing}");
    }

    #[test]
    fn what_cannot_be_used_does_not_replace_what_can() {
        let home = tempfile::tempdir().unwrap();
        let files = CertificateFiles { certificate: home.path().join("c"), key: home.path().join("k") };
        let write = |(certificate, key): (String, String)| {
            fs::write(&files.certificate, certificate).unwrap();
            fs::write(&files.key, key).unwrap();
        };
        write(pair());
        let certificate = Certificate::read(files.clone()).unwrap();
        let first = certificate.current().get();
        write((String::new(), String::new()));
        certificate.read_again().unwrap_err();
        assert!(Arc::ptr_eq(&first, &certificate.current().get()));
        write(pair());
        certificate.read_again().unwrap();
        assert!(!Arc::ptr_eq(&first, &certificate.current().get()));
    }
}
