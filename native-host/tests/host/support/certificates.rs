//! Certificates made for a test.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use test_servers::Tls;

/// Files of a server's certificate and of the authority that vouches for it.
pub struct Certificates {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificates {
    /// For a server of this name, in a directory.
    pub fn for_name(directory: &Path, name: &str) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().expect("a key");
        let authority_pem = authority
            .self_signed(&authority_key)
            .expect("a certificate")
            .pem();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().expect("a key");
        let server = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        let server = server.signed_by(&key, &issuer).expect("a certificate");
        let write = |file: &str, text: &str| {
            let path = directory.join(file);
            fs::write(&path, text).expect("written");
            path
        };
        Self {
            authority: write("ca.pem", &authority_pem),
            certificate: write("server.pem", &server.pem()),
            key: write("server.key", &key.serialize_pem()),
        }
    }

    /// TLS with these, on this port.
    pub fn tls(&self, port: u16) -> Tls {
        Tls {
            port,
            certificate: self.certificate.clone(),
            key: self.key.clone(),
        }
    }
}
