//! TLS to the database, as far as `sslmode` asks for it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use waxwing_jobs::StoreError;

/// What is verified of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verify {
    Nothing,
    Authority,
    AuthorityAndName,
}

/// How far a server is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trust {
    mode: SslMode,
    verify: Verify,
    roots: Option<PathBuf>,
}

impl Trust {
    pub(crate) fn read(mode: &str, roots: Option<PathBuf>) -> Result<Self, &'static str> {
        let (mode, verify) = match mode {
            "disable" => (SslMode::Disable, Verify::Nothing),
            "prefer" => (SslMode::Prefer, Verify::Nothing),
            "require" if roots.is_some() => (SslMode::Require, Verify::Authority),
            "require" => (SslMode::Require, Verify::Nothing),
            "verify-ca" => (SslMode::Require, Verify::Authority),
            "verify-full" => (SslMode::Require, Verify::AuthorityAndName),
            _ => return Err("sslmode must be disable, prefer, require, verify-ca or verify-full"),
        };
        Ok(Self { mode, verify, roots })
    }

    pub(crate) fn with_paths_from(mut self, folder: &Path) -> Self {
        self.roots = self.roots.map(|path| folder.join(path));
        self
    }

    pub(crate) const fn driver_mode(&self) -> SslMode {
        self.mode
    }

    /// Makes connections that trust a server so far.
    pub(crate) fn connector(&self) -> Result<MakeRustlsConnect, StoreError> {
        let provider = Arc::new(ring::default_provider());
        let misused = |error: &dyn fmt::Display| StoreError::Misconfigured(format!("TLS: {error}"));
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(|e| misused(&e))?;
        let authorities = match self.verify {
            Verify::Nothing => None,
            Verify::Authority => {
                let roots = Arc::new(self.authorities()?);
                let inner = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
                Some(inner.build().map_err(|error| misused(&error))?)
            }
            Verify::AuthorityAndName => {
                let config = builder.with_root_certificates(self.authorities()?);
                return Ok(MakeRustlsConnect::new(config.with_no_client_auth()));
            }
        };
        let verifier = Arc::new(Lenient { authorities, provider });
        let config = builder.dangerous().with_custom_certificate_verifier(verifier);
        Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
    }

    fn authorities(&self) -> Result<RootCertStore, StoreError> {
        let mut roots = RootCertStore::empty();
        let Some(path) = &self.roots else {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let why = "this system has no certificate authorities; name them with sslrootcert";
                return Err(StoreError::Misconfigured(why.to_owned()));
            }
            return Ok(roots);
        };
        let refuse = |why: &dyn fmt::Display| {
            StoreError::Misconfigured(format!("sslrootcert {}: {why}", path.display()))
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| refuse(&error))? {
            let certificate = certificate.map_err(|error| refuse(&error))?;
            roots.add(certificate).map_err(|error| refuse(&error))?;
        }
        if roots.is_empty() {
            return Err(refuse(&"it holds no certificate"));
        }
        Ok(roots)
    }
}

/// Takes any certificate of these authorities, whatever it names (`verify-ca`); without any, any
/// certificate at all (`require`, `prefer`).
#[derive(Debug)]
struct Lenient {
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(authorities) = &self.authorities else {
            return Ok(ServerCertVerified::assertion());
        };
        // The name is checked last, after the chain of authorities.
        match authorities.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                NotValidForName | NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
