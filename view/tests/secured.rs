//! The view in a cluster with users, TLS, alternate addresses and a name, which only the Enterprise Edition and managed
//! services have. A mock stands for one of its nodes: it speaks as much of the protocol as the client needs to know a node.
//!
//! Formats: the wire protocol of Aerospike's clients (`aerospike-core`, `commands/admin_command.rs` and `info_command.rs`) and
//! <https://aerospike.com/docs/database/reference/info>.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by them")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use view::{AerospikeSettings, AerospikeView, View, ViewError};

const TLS_NAME: &str = "node.example.org";
const USER: &str = "reveille";
const PASSWORD: &str = "correct horse";
/// What clients send instead of the password: bcrypt with the one salt that all of them use.
const PASSWORD_HASH: &str = "$2a$10$7EqJtq98hPqEX7fNZaFWoOlYcmdoqIJOfxYwKwVjSw/sCf.YI44ka";
const TOKEN: &[u8] = b"token";

const INFO: u8 = 1;
const ADMIN: u8 = 2;
const AUTHENTICATE: u8 = 0;
const LOGIN: u8 = 20;
const FIELD_USER: u8 = 0;
const FIELD_CREDENTIAL: u8 = 3;
const FIELD_TOKEN: u8 = 5;
const FIELD_LIFETIME: u8 = 6;
const OK: u8 = 0;
const INVALID_CREDENTIAL: u8 = 65;

/// What clients did.
#[derive(Default)]
struct Seen {
    tls_names: Vec<String>,
    questions: Vec<String>,
}

/// A node that knows one user.
struct Node {
    address: SocketAddr,
    roots: RootCertStore,
    seen: Arc<Mutex<Seen>>,
}

type Connection = StreamOwned<ServerConnection, TcpStream>;

impl Node {
    fn start() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([TLS_NAME.to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let server = ServerConnection::new(Arc::clone(&config)).unwrap();
                let connection = StreamOwned::new(server, stream.unwrap());
                let seen = Arc::clone(&shared);
                // A connection ends with an error when the client has what it wants.
                std::thread::spawn(move || serve(connection, &seen).ok());
            }
        });
        Self { address, roots, seen }
    }

    fn settings(&self) -> AerospikeSettings {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        let hosts = format!("127.0.0.1:{TLS_NAME}:{}", self.address.port());
        AerospikeSettings {
            credentials: Some((USER.to_owned(), PASSWORD.to_owned())),
            tls: Some(Arc::new(tls)),
            alternate_addresses: true,
            cluster_name: Some("alerts".to_owned()),
            ..AerospikeSettings::new(hosts, "reveille")
        }
    }
}

fn serve(mut connection: Connection, seen: &Mutex<Seen>) -> std::io::Result<()> {
    let mut is_known = false;
    loop {
        let mut header = [0; 8];
        connection.read_exact(&mut header)?;
        let tls_name = connection.conn.server_name().unwrap_or_default().to_owned();
        seen.lock().unwrap().tls_names.push(tls_name);
        let length = u64::from_be_bytes(header) & 0xffff_ffff_ffff;
        let mut body = vec![0; usize::try_from(length).unwrap()];
        connection.read_exact(&mut body)?;
        let (kind, answer) = match header[1] {
            ADMIN => {
                let answer = authenticated(&body);
                is_known = answer[1] == OK;
                (ADMIN, answer)
            }
            INFO if is_known => (INFO, told(&String::from_utf8(body).unwrap(), seen)),
            _ => return Ok(()),
        };
        let length = u64::try_from(answer.len()).unwrap().to_be_bytes();
        connection.write_all(&[2, kind])?;
        connection.write_all(&length[2..])?;
        connection.write_all(&answer)?;
        connection.flush()?;
    }
}

/// The answer to a login with a user and a hashed password, or with the token of an earlier one.
fn authenticated(body: &[u8]) -> Vec<u8> {
    let (command, mut fields) = (body[2], &body[16..]);
    let (mut user, mut credential, mut token) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..body[3] {
        let (length, rest) = fields.split_at(4);
        let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
        let (field, rest) = rest.split_at(length);
        match field[0] {
            FIELD_USER => user = field[1..].to_vec(),
            FIELD_CREDENTIAL => credential = field[1..].to_vec(),
            FIELD_TOKEN => token = field[1..].to_vec(),
            _ => {}
        }
        fields = rest;
    }
    let is_known = user == USER.as_bytes()
        && match command {
            LOGIN => credential == PASSWORD_HASH.as_bytes(),
            AUTHENTICATE => token == TOKEN,
            _ => false,
        };
    let mut answer = vec![0; 16];
    if !is_known {
        answer[1] = INVALID_CREDENTIAL;
        return answer;
    }
    if command == LOGIN {
        answer[3] = 2;
        for (id, value) in [(FIELD_TOKEN, TOKEN), (FIELD_LIFETIME, &3_600_u32.to_be_bytes())] {
            let length = u32::try_from(value.len() + 1).unwrap();
            answer.extend(length.to_be_bytes());
            answer.push(id);
            answer.extend(value);
        }
    }
    answer
}

fn told(questions: &str, seen: &Mutex<Seen>) -> Vec<u8> {
    let mut answer = String::new();
    for question in questions.lines() {
        seen.lock().unwrap().questions.push(question.to_owned());
        let value = match question {
            "node" => "BB9020011AC4202",
            "cluster-name" => "alerts",
            "build" => "8.1.2.0",
            "partition-generation" | "peers-generation" => "1",
            "peers-tls-alt" => "1,4333,[]",
            "replicas" => &format!("reveille:0,1,{}8=", "/".repeat(682)),
            "cluster-stable:" => "3F1E4BAD",
            "namespace/reveille" => "effective_replication_factor=2;master_objects=4;nsup-period=10",
            _ => "ERROR::unknown",
        };
        answer += &format!("{question}\t{value}\n");
    }
    answer.into_bytes()
}

#[tokio::test]
async fn v9_a_secured_cluster_is_reached_with_user_tls_alternate_addresses_and_name() {
    let node = Node::start();
    let view = AerospikeView::connect(&node.settings()).await.unwrap();
    let cluster = view.cluster().await.unwrap();
    assert_eq!(cluster.nodes, ["BB9020011AC4202".to_owned()].into());
    assert_eq!((cluster.records, cluster.copies), (4, 2));
    let seen = node.seen.lock().unwrap();
    assert!(seen.tls_names.iter().all(|name| name == TLS_NAME));
    assert!(seen.questions.iter().any(|question| question == "peers-tls-alt"));
}

#[tokio::test]
async fn v9_what_a_secured_cluster_refuses_is_told() {
    let node = Node::start();
    let wrong_password = AerospikeSettings {
        credentials: Some((USER.to_owned(), "wrong".to_owned())),
        ..node.settings()
    };
    let wrong_name = AerospikeSettings {
        cluster_name: Some("metrics".to_owned()),
        ..node.settings()
    };
    let wrong_certificate = AerospikeSettings {
        tls: Node::start().settings().tls,
        ..node.settings()
    };
    for (settings, reason) in [
        (wrong_password, "Invalid credential"),
        (wrong_name, "expected=metrics"),
        (wrong_certificate, "certificate"),
    ] {
        let view = AerospikeView::connect(&settings).await.unwrap();
        let error = view.cluster().await.unwrap_err();
        assert!(matches!(error, ViewError::Unavailable(_)), "{error}");
        assert!(error.to_string().contains(reason), "{reason}: {error}");
    }
}
