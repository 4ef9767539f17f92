//! The two ends that join the node's network with the machine's over sockets in the file system: neither network is changed.
//!
//! Inside, a port leads to the API server outside; outside, a socket speaks HTTP CONNECT and leads to any address inside.
//! The API server uses the latter for kubelets (its egress selector), tests use it for pods and Services.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// A dropped packet shows as a connection that never comes about; nobody waits for the kernel's two minutes.
const DIALING: Duration = Duration::from_secs(15);

/// The outer end: forwards connections to `socket` to the API server at `server` (`https://host:port`).
pub(super) fn outside(socket: &Path, server: &str) -> Result<JoinHandle<()>> {
    let address = server.trim_start_matches("https://").trim_end_matches('/').to_owned();
    let listener = UnixListener::bind(socket).with_context(|| format!("listen on {}", socket.display()))?;
    Ok(tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let address = address.clone();
            tokio::spawn(async move {
                if let Ok(server) = TcpStream::connect(&address).await {
                    join(client, server).await;
                }
            });
        }
    }))
}

/// The inner end: `port` leads to the socket `api`, and the socket `dial` to anywhere. Serves until it is killed.
///
/// # Errors
/// It cannot listen.
pub async fn inside(port: u16, api: &Path, dial: &Path) -> Result<()> {
    let to_api = TcpListener::bind(("0.0.0.0", port))
        .await
        .context("listen for the API server")?;
    let to_inside = UnixListener::bind(dial).with_context(|| format!("listen on {}", dial.display()))?;
    loop {
        tokio::select! {
            accepted = to_api.accept() => {
                let api = api.to_owned();
                let (client, _) = accepted.context("accept")?;
                tokio::spawn(async move {
                    if let Ok(server) = UnixStream::connect(&api).await {
                        join(client, server).await;
                    }
                });
            }
            accepted = to_inside.accept() => {
                let (client, _) = accepted.context("accept")?;
                tokio::spawn(connect(client));
            }
        }
    }
}

/// Dials an address inside, `host:port`.
///
/// # Errors
/// Nobody answers there; the error says how it failed.
pub async fn dial(socket: &Path, address: &str) -> Result<UnixStream> {
    let mut stream = UnixStream::connect(socket).await.context("reach the node")?;
    let request = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let head = head(&mut stream).await?;
    let status = head.lines().next().unwrap_or_default();
    if !status.contains(" 200 ") {
        bail!("{address}: {status}");
    }
    Ok(stream)
}

async fn connect(mut client: UnixStream) {
    let Ok(head) = head(&mut client).await else { return };
    let address = head.split_whitespace().nth(1).unwrap_or_default();
    let dialed = tokio::time::timeout(DIALING, TcpStream::connect(address)).await;
    let answer = match &dialed {
        Ok(Ok(_)) => "200 Connection established".to_owned(),
        Ok(Err(error)) => format!("502 {error}"),
        Err(_) => "504 timed out".to_owned(),
    };
    let answer = format!("HTTP/1.1 {answer}\r\n\r\n");
    if client.write_all(answer.as_bytes()).await.is_ok()
        && let Ok(Ok(server)) = dialed
    {
        join(client, server).await;
    }
}

/// Reads up to the empty line and not a byte more: what follows belongs to the connection.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 4096 {
            bail!("no end of the request");
        }
        head.push(stream.read_u8().await.context("read the request")?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

async fn join(mut one: impl AsyncRead + AsyncWrite + Unpin, mut other: impl AsyncRead + AsyncWrite + Unpin) {
    // Either side may hang up at any time.
    let _ = tokio::io::copy_bidirectional(&mut one, &mut other).await;
}

/// Sends one GET over a fresh connection and returns status and body.
///
/// # Errors
/// No connection, or no answer in time.
pub async fn get(socket: &Path, address: &str, path: &str) -> Result<(u16, String)> {
    let asking = async {
        let mut stream = dial(socket, address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut reader = BufReader::new(stream);
        let mut status = String::new();
        reader.read_line(&mut status).await?;
        let mut rest = String::new();
        reader.read_to_string(&mut rest).await?;
        let code = status.split_whitespace().nth(1).context("the server hung up")?;
        let body = rest.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        anyhow::Ok((code.parse()?, body.to_owned()))
    };
    tokio::time::timeout(DIALING * 2, asking)
        .await
        .context("no answer in time")?
}
