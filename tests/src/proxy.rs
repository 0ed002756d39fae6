//! A TCP proxy in front of the database that cuts a connection at a chosen message.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Notify};

/// Where the next connection is cut that comes so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before COMMIT reaches the server.
    BeforeCommit,
    /// After the server has answered COMMIT, before the client sees the answer.
    AfterCommit,
    /// Nothing is cut, but the first rows of a COPY are held back for ever, and [`Proxy::held`] tells.
    HoldCopy,
}

/// A proxy on a port of its own, while the runtime lives in which it was made.
pub struct Proxy {
    /// Its port on 127.0.0.1.
    pub port: u16,
    state: Arc<State>,
}

struct State {
    server: (String, u16),
    armed: Mutex<Option<Cut>>,
    held: Notify,
}

impl Proxy {
    /// In front of this server.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn to(server: (String, u16)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound address").port();
        let state = Arc::new(State { server, armed: Mutex::new(None), held: Notify::new() });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, Arc::clone(&shared)));
            }
        });
        Self { port, state }
    }

    /// The next connection that comes to this place is cut there; later ones are not.
    pub async fn arm(&self, cut: Cut) {
        *self.state.armed.lock().await = Some(cut);
    }

    /// Waits until rows are held back.
    pub async fn held(&self) {
        self.state.held.notified().await;
    }
}

async fn relay(client: TcpStream, state: Arc<State>) {
    let Ok(server) = TcpStream::connect((state.server.0.as_str(), state.server.1)).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mute = Arc::new(Notify::new());
    let down = tokio::spawn(pump_down(from_server, to_client, Arc::clone(&mute)));
    pump_up(from_client, to_server, &state, &mute).await;
    let _ = down.await;
}

/// Client to server. Returning closes this direction.
async fn pump_up(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State, mute: &Notify) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut bytes).await else { return };
        let piece = &bytes[..count];
        let mut armed = state.armed.lock().await;
        match *armed {
            Some(Cut::BeforeCommit) if is_commit(piece) => {
                *armed = None;
                mute.notify_one();
                return;
            }
            Some(Cut::AfterCommit) if is_commit(piece) => {
                *armed = None;
                mute.notify_one();
                let _ = to.write_all(piece).await;
                return;
            }
            Some(Cut::HoldCopy) if piece[0] == b'd' => {
                *armed = None;
                state.held.notify_one();
                // Until the client gives up.
                while let Ok(1..) = from.read(&mut bytes).await {}
                return;
            }
            _ => {}
        }
        drop(armed);
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
}

fn is_commit(piece: &[u8]) -> bool {
    piece.ends_with(b"COMMIT\0")
}

/// Server to client. Once mute, what the server says is read but goes nowhere; the client sees the end.
async fn pump_down(mut from: OwnedReadHalf, to: OwnedWriteHalf, mute: Arc<Notify>) {
    let mut bytes = vec![0; 64 * 1024];
    let mut to = Some(to);
    loop {
        tokio::select! {
            biased;
            () = mute.notified() => {
                // The answer to COMMIT, which nobody will see; then the server's end.
                while let Ok(1..) = from.read(&mut bytes).await {}
                return drop(to.take());
            }
            read = from.read(&mut bytes) => {
                let Ok(count @ 1..) = read else { return };
                if let Some(to) = to.as_mut() && to.write_all(&bytes[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}
