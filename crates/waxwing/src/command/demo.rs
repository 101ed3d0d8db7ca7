//! `waxwing demo`: a real server in a process of its own, and what a client sees of it, step by step.

mod acts;
mod raw;
mod server;
mod story;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use waxwing_client::Client;

use self::raw::Signer;
use self::server::ServerProcess;
use self::story::Story;
use super::init;
use crate::config::Algorithm;
use crate::config::client::Profile;
use crate::config::new_config::NewConfig;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::signals::StopSignals;

/// All of it takes about ten seconds; a machine that needs so much longer has another trouble.
const AT_MOST: Duration = Duration::from_secs(38);
/// A dead server's jobs are to run again within seconds here, not within the usual half minute.
const SHORT_LEASES: &str = "\n[jobs]\nlease_ms = 1500\nsweep_ms = 250\n";

pub(super) async fn run() -> Result<(), Failure> {
    let mut stop = StopSignals::new()?;
    tokio::select! {
        ended = play() => ended,
        () = tokio::time::sleep(AT_MOST) => {
            let text = format!("the demo took longer than {} s", AT_MOST.as_secs());
            Err(Failure::new(Exit::Failed, text))
        }
        () = stop.received() => Err(Failure::new(Exit::Failed, "interrupted")),
    }
}

/// What the demo is played on. The server goes before its files do.
struct Stage {
    server: ServerProcess,
    client: Client,
    signer: Signer,
    _folder: TempDir,
}

impl Stage {
    /// A new folder with a fresh key, and a server and a client on it.
    async fn set() -> Result<Self, Failure> {
        let folder = tempfile::tempdir()
            .map_err(|error| Failure::usage(format!("no temporary folder: {error}")))?;
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server_id = "demo.waxwing"
            .parse()
            .map_err(|error: waxwing_core::InvalidId| Failure::usage(error.to_string()))?;
        let config = NewConfig {
            listen: any_port,
            admin_listen: any_port,
            server_id,
            algorithm: Algorithm::HmacSha256,
            more: SHORT_LEASES,
        };
        // The client is told of the port once the server has one.
        init::write(folder.path(), &config, "http://127.0.0.1:1")?;
        let server = ServerProcess::start(folder.path(), any_port).await?;
        let profile_path = folder.path().join("client.toml");
        let mut profile = Profile::read(&profile_path)?;
        profile.url = format!("http://{}", server.address());
        let (key_id, key) = profile.signer(&profile_path)?;
        let signer = Signer {
            client_id: profile.client_id.clone(),
            server_id: profile.server_id.clone(),
            key_id,
            key,
        };
        let client = profile.into_client(&profile_path)?;
        Ok(Self { server, client, signer, _folder: folder })
    }
}

async fn play() -> Result<(), Failure> {
    let mut stage = Stage::set().await?;
    let mut story = Story::begin(&stage.server);
    story
        .step(
            "Ask who is there",
            "a signed identity with our key's fingerprint",
            acts::identity(&stage.client, &stage.signer),
        )
        .await?;
    story.step("Add three numbers", "their count and their sum", acts::sum(&stage.client)).await?;
    story
        .step(
            "Send wrong arguments",
            "refused, with every violation named",
            acts::wrong_arguments(&stage.client),
        )
        .await?;
    story
        .step(
            "Change one digit of a signed call on its way",
            "refused: unauthenticated",
            acts::forgery(&stage.signer, stage.server.address()),
        )
        .await?;
    story
        .step(
            "Send a true call twice, byte for byte",
            "answered once, then refused: replayed",
            acts::replay(&stage.signer, stage.server.address()),
        )
        .await?;
    story
        .step(
            "Run a task of 2 s",
            "accepted at once, progress on the way, its output",
            acts::long_task(&stage.client),
        )
        .await?;
    story
        .step(
            "Run another, and kill -9 the server in the middle of it",
            "the job survives, runs again, and gives its output",
            acts::killed_task(&stage.client, &mut stage.server),
        )
        .await?;
    let steps = story.end();
    output::print(&json!({ "demo": "passed", "steps": steps }))
}
