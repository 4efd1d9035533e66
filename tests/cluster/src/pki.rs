use std::{net::IpAddr, os::unix::fs::PermissionsExt as _};

use anyhow::Context as _;
use base64::Engine as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};

use crate::{place::Place, subnet::Subnet};

/// The one node's name.
pub(crate) const NODE: &str = "node";

/// Users that come with a token: file of the kubeconfig, name, group.
const USERS: [(&str, &str, &str); 5] = [
    ("kubeconfig", "admin", "system:masters"),
    ("pki/manager.kubeconfig", "system:kube-controller-manager", ""),
    ("pki/scheduler.kubeconfig", "system:kube-scheduler", ""),
    ("pki/proxy.kubeconfig", "system:kube-proxy", ""),
    ("pki/node.kubeconfig", "system:node:node", "system:nodes"),
];

/// Makes the authority, the certificates, the service accounts' key, and a kubeconfig for each user.
pub(crate) fn write(place: &Place, subnet: Subnet) -> anyhow::Result<()> {
    let key = KeyPair::generate()?;
    let mut params = params("cluster", "", &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = params.self_signed(&key)?.pem();
    place.write("pki/ca.crt", &authority)?;
    place.write("pki/ca.key", &key.serialize_pem())?;
    let issuer = Issuer::new(params, key);

    let (node, first) = (subnet.node().to_string(), subnet.first_service().to_string());
    let kubernetes = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"];
    let names = [&["127.0.0.1", &node, &first], kubernetes.as_slice()].concat();
    sign(place, &issuer, "apiserver", &self::params("kube-apiserver", "", &names))?;
    sign(place, &issuer, "kubelet-client", &self::params("apiserver", "system:masters", &[]))?;
    let kubelet = self::params("system:node:node", "system:nodes", &[NODE, &node]);
    sign(place, &issuer, "kubelet", &kubelet)?;

    let accounts = KeyPair::generate()?;
    place.write("pki/accounts.key", &accounts.serialize_pem())?;
    place.write("pki/accounts.pub", &accounts.public_key_pem())?;

    let mut tokens = String::new();
    for (file, name, group) in USERS {
        let token = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        tokens += &format!("{token},{name},{name},\"{group}\"\n");
        place.write(file, &kubeconfig(&node, &authority, &token))?;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(place.file(file), private)?;
    }
    place.write("pki/tokens.csv", &tokens)
}

fn params(name: &str, group: &str, alternatives: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    if !group.is_empty() {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = alternatives
        .iter()
        .filter_map(|name| match name.parse::<IpAddr>() {
            Ok(address) => Some(SanType::IpAddress(address)),
            Err(_) => Some(SanType::DnsName((*name).try_into().ok()?)),
        })
        .collect();
    params
}

fn sign(
    place: &Place,
    issuer: &Issuer<'_, KeyPair>,
    file: &str,
    params: &CertificateParams,
) -> anyhow::Result<()> {
    let key = KeyPair::generate()?;
    let certificate =
        params.signed_by(&key, issuer).with_context(|| format!("cannot sign {file}"))?;
    place.write(&format!("pki/{file}.crt"), &certificate.pem())?;
    place.write(&format!("pki/{file}.key"), &key.serialize_pem())
}

fn kubeconfig(node: &str, authority: &str, token: &str) -> String {
    let authority = base64::engine::general_purpose::STANDARD.encode(authority);
    format!(
        "apiVersion: v1
kind: Config
clusters:
  - name: test
    cluster: {{ server: 'https://{node}:6443', certificate-authority-data: {authority} }}
users:
  - name: test
    user: {{ token: '{token}' }}
contexts:
  - name: test
    context: {{ cluster: test, user: test }}
current-context: test
"
    )
}
