//! A line to the database that can be cut, and counts what is asked over it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What clients asked, by the first byte of the packet (<https://mariadb.com/kb/en/2-text-protocol/>).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Connections that were opened.
    pub connections: usize,
    commands: BTreeMap<u8, usize>,
}

impl Asked {
    /// `COM_QUERY`: statements without values.
    pub fn queries(&self) -> usize {
        self.of(0x03)
    }

    /// `COM_PING`.
    pub fn pings(&self) -> usize {
        self.of(0x0e)
    }

    /// `COM_STMT_PREPARE`.
    pub fn prepared(&self) -> usize {
        self.of(0x16)
    }

    /// `COM_STMT_EXECUTE`.
    pub fn executed(&self) -> usize {
        self.of(0x17)
    }

    fn of(&self, command: u8) -> usize {
        self.commands.get(&command).copied().unwrap_or(0)
    }
}

/// Passes connections on to a server while it is open.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    open: Arc<watch::Sender<bool>>,
    asked: Arc<Mutex<Asked>>,
}

impl Proxy {
    /// A proxy to this address of a server.
    pub async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = Arc::new(watch::Sender::new(true));
        let asked = Arc::<Mutex<Asked>>::default();
        let (gate, counts) = (open.clone(), asked.clone());
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if *gate.borrow() {
                    counts.lock().unwrap().connections += 1;
                    tokio::spawn(pass(client, server.clone(), gate.subscribe(), counts.clone()));
                }
            }
        });
        Self { port, open, asked }
    }

    /// Breaks all connections and refuses new ones.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Takes connections again.
    pub fn mend(&self) {
        self.open.send_replace(true);
    }

    /// What was asked since this was called last.
    pub fn asked(&self) -> Asked {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

async fn pass(client: TcpStream, server: String, mut gate: watch::Receiver<bool>, asked: Arc<Mutex<Asked>>) {
    let server = TcpStream::connect(server).await.unwrap();
    server.set_nodelay(true).unwrap();
    client.set_nodelay(true).unwrap();
    let ((from_client, mut to_client), (mut from_server, to_server)) =
        (client.into_split(), server.into_split());
    tokio::select! {
        () = requests(from_client, to_server, &asked) => {}
        _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
        _ = gate.wait_for(|open| !open) => {}
    }
}

/// Passes packets on, and counts those that begin a command: their number is zero.
async fn requests(mut client: OwnedReadHalf, mut server: OwnedWriteHalf, asked: &Mutex<Asked>) {
    let mut header = [0; 4];
    while client.read_exact(&mut header).await.is_ok() {
        let length = usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
        let mut packet = header.to_vec();
        packet.resize(4 + length, 0);
        if client.read_exact(&mut packet[4..]).await.is_err() {
            return;
        }
        if let ([.., 0], Some(command)) = (header, packet.get(4)) {
            *asked.lock().unwrap().commands.entry(*command).or_default() += 1;
        }
        if server.write_all(&packet).await.is_err() {
            return;
        }
    }
}
