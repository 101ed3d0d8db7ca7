//! The demo's server: this very program, in a process of its own, which can be killed and started again.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;

use tokio::sync::oneshot;

use crate::exit::{Exit, Failure};

/// A running server. It is killed when this is dropped.
pub(super) struct ServerProcess {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl ServerProcess {
    /// Starts a server on the configuration in `folder` and waits until it listens.
    pub(super) async fn start(folder: &Path, listen: SocketAddr) -> Result<Self, Failure> {
        let cannot =
            |why: String| Failure::new(Exit::Failed, format!("the server did not start: {why}"));
        let program = std::env::current_exe().map_err(|error| cannot(error.to_string()))?;
        let mut child = Command::new(program)
            .arg("serve")
            .arg("--config")
            .arg(folder.join("waxwing.toml"))
            .arg("--listen")
            .arg(listen.to_string())
            .env("WAXWING_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| cannot(error.to_string()))?;
        let ready = child.stderr.take().map(listen_for_address);
        let mut server = Self { child, address: listen, folder: folder.to_owned() };
        let said = match ready {
            Some(ready) => ready.await.unwrap_or_else(|_| Err("it said nothing".to_owned())),
            None => Err("it has no stderr".to_owned()),
        };
        server.address = said.map_err(cannot)?;
        Ok(server)
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// kill -9: no handler runs, nothing is flushed.
    pub(super) fn kill(&mut self) -> std::io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Starts it again, on the same address and the same files.
    pub(super) async fn start_again(&mut self) -> Result<(), Failure> {
        let again = Self::start(&self.folder, self.address).await?;
        *self = again;
        Ok(())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.kill();
    }
}

/// Reads what the server says, to its end, so that it never waits for a reader.
fn listen_for_address(stderr: ChildStderr) -> oneshot::Receiver<Result<SocketAddr, String>> {
    let (tell, ready) = oneshot::channel();
    thread::spawn(move || {
        let mut tell = Some(tell);
        let mut said = Vec::new();
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let address = line.strip_prefix("listening on http://").map(str::parse);
            if tell.is_some() {
                said.push(line);
            }
            if let Some(Ok(address)) = address
                && let Some(tell) = tell.take()
            {
                let _ = tell.send(Ok(address));
            }
        }
        if let Some(tell) = tell {
            let _ = tell.send(Err(said.join("\n")));
        }
    });
    ready
}
