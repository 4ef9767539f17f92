//! TCP connections whose client has shown a certificate of the right CA. All others end in the handshake, before a byte of HTTP is read.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::certificates::Certificates;
use crate::metrics::Happenings;

/// Time for a handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Connections at once, those in the handshake included. An API server keeps some ten open; each costs some 50 KiB.
const CONNECTIONS: usize = 128;

/// Of so many refused connections of one reason one is logged, the first.
const SELDOM: u64 = 100;

/// Pause after a connection could not be accepted: the process has no file left, most often.
const EXHAUSTED: Duration = Duration::from_secs(1);

/// Where [`axum::serve`] gets its connections.
pub(super) struct Listener {
    address: SocketAddr,
    shaken: mpsc::Receiver<(Connection, SocketAddr)>,
}

/// One connection, and its place among all.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    /// When it is given up, unless something comes.
    end: Pin<Box<Sleep>>,
    idle: Duration,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// Starts to accept, until `stop`.
    pub(super) fn start(
        listener: TcpListener,
        certificates: Arc<Certificates>,
        happenings: Arc<Happenings>,
        idle: Duration,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, shaken) = mpsc::channel(1);
        tokio::spawn(stop.run_until_cancelled_owned(accept(listener, certificates, happenings, idle, sender)));
        Ok(Self { address, shaken })
    }
}

async fn accept(
    listener: TcpListener,
    certificates: Arc<Certificates>,
    happenings: Arc<Happenings>,
    idle: Duration,
    sender: mpsc::Sender<(Connection, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = %error, "the audit sink cannot accept a connection");
                tokio::time::sleep(EXHAUSTED).await;
                continue;
            }
        };
        let (happenings, sender) = (Arc::clone(&happenings), sender.clone());
        let acceptor = TlsAcceptor::from(certificates.config());
        tokio::spawn(async move {
            match timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let connection = Connection {
                        stream,
                        end: Box::pin(sleep(idle)),
                        idle,
                        _place: place,
                    };
                    // Nobody takes it while the sink stops.
                    let _ = sender.send((connection, peer)).await;
                }
                Ok(Err(error)) => refused(&happenings, peer, reason(&error), &error),
                Err(_) => refused(&happenings, peer, "timeout", &"no handshake in time"),
            }
        });
    }
}

fn refused(happenings: &Happenings, peer: SocketAddr, reason: &'static str, why: &dyn std::fmt::Display) {
    // Whoever reaches the port can do this as often as they like: counted always, logged seldom.
    if happenings.audit().connection_refused(reason) % SELDOM != 1 {
        return;
    }
    tracing::info!(%peer, reason, why = %why, "the audit sink refused a connection");
}

/// Why a handshake failed, as a label.
fn reason(error: &io::Error) -> &'static str {
    use rustls::Error::{InvalidCertificate, NoCertificatesPresented};
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    match error {
        Some(NoCertificatesPresented) => "no_certificate",
        Some(InvalidCertificate(_)) => "wrong_certificate",
        _ => "handshake",
    }
}

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.shaken.recv().await {
            Some(accepted) => accepted,
            // The sink stops: whoever serves is told so by other means.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        let read = Pin::new(&mut connection.stream).poll_read(cx, buffer);
        if read.is_ready() {
            connection.end.as_mut().reset(Instant::now() + connection.idle);
        } else if connection.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
