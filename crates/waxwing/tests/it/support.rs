//! Runs the program: commands to their end, servers until they are dropped.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;
use waxwing_core::message::Request;
use waxwing_core::{CanonicalJson, Limits, Scratch};
use waxwing_crypto::{HmacKey, sign_request};
use waxwing_jobs::{Filter, Listed, Store};

/// How long anything may take that should take a moment: for machines with much else to do.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program, with nothing of the tester's own settings.
pub(crate) fn waxwing() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waxwing"));
    for name in ["WAXWING_PROFILE", "WAXWING_LOG", "NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// It succeeded, with one canonical JSON document and a line end on stdout, and nothing else.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        let document = self.stdout.strip_suffix('\n').unwrap();
        let json = CanonicalJson::read(document.as_bytes(), &Limits::DEFAULT).unwrap();
        assert_eq!(json.as_str(), document, "stdout is not canonical");
        json.decode().unwrap()
    }

    /// It failed with this code, nothing on stdout, and all of these on stderr.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in {}", self.stderr);
        }
        assert!(!self.stderr.contains('\u{1b}'), "an escape sequence: {}", self.stderr);
    }
}

pub(crate) fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs a command that reads `input`.
pub(crate) fn run_with_input(command: &mut Command, input: &str) -> Ran {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder with the three files of `waxwing init`, changed to listen on free ports.
pub(crate) struct Site {
    folder: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with_algorithm("hmac-sha256")
    }

    pub(crate) fn with_algorithm(algorithm: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = run(waxwing().args(["init", "--algorithm", algorithm]).arg(folder.path()));
        assert_eq!(made.code, 0, "{made:?}");
        let site = Self { folder };
        site.edit("waxwing.toml", "127.0.0.1:7411", "127.0.0.1:0");
        site.edit("waxwing.toml", "127.0.0.1:7412", "127.0.0.1:0");
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Replaces text in a file, keeping its mode.
    #[track_caller]
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{from:?} is not in {name}");
        fs::write(self.path(name), text.replace(from, to)).unwrap();
    }

    /// Writes a file; a new one is private.
    pub(crate) fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(self.path(name)).unwrap().write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        fs::write(self.path(name), self.read(name) + text).unwrap();
    }

    /// Keeps jobs there instead of in the site's own file.
    pub(crate) fn keep_jobs_in(&self, store: &str) {
        self.edit("waxwing.toml", "sqlite:waxwing.db", store);
    }

    /// Starts a server and points the profile to it.
    pub(crate) fn serve(&self) -> ServerProcess {
        let server = ServerProcess::start(&self.path("waxwing.toml"), None);
        self.point_to(server.address);
        server
    }

    /// Points the profile to an address.
    pub(crate) fn point_to(&self, address: SocketAddr) {
        let profile = self.read("client.toml");
        let url = profile.lines().find(|line| line.starts_with("url = ")).unwrap();
        self.edit("client.toml", url, &format!("url = \"http://{address}\""));
    }

    /// Runs a client's command with this site's profile.
    pub(crate) fn client<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        run(&mut self.command(args))
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = waxwing();
        command.args(args).arg("--profile").arg(self.path("client.toml"));
        command
    }
}

/// A server in a process of its own. It is killed when this is dropped.
pub(crate) struct ServerProcess {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    said: Arc<Mutex<Vec<String>>>,
    reader: Option<thread::JoinHandle<()>>,
}

impl ServerProcess {
    /// Starts a server and waits until it says that it listens.
    pub(crate) fn start(config: &Path, listen: Option<SocketAddr>) -> Self {
        let mut command = waxwing();
        command.arg("serve").arg("--config").arg(config);
        if let Some(address) = listen {
            command.arg("--listen").arg(address.to_string());
        }
        Self::spawn(&mut command)
    }

    /// Runs a command that becomes a server, and waits until it says that it listens.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let said = Arc::<Mutex<Vec<String>>>::default();
        let (tell, told) = mpsc::channel::<(String, SocketAddr)>();
        let hear = Arc::clone(&said);
        let reader = thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                for name in ["listening", "health"] {
                    let address = line.strip_prefix(&format!("{name} on http://"));
                    if let Some(address) = address {
                        let _ = tell.send((name.to_owned(), address.parse().unwrap()));
                    }
                }
                hear.lock().unwrap().push(line);
            }
        });
        let deadline = Instant::now() + PATIENCE;
        let mut admin = None;
        let address = loop {
            match told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((name, address)) if name == "health" => admin = Some(address),
                Ok((_, address)) => break address,
                Err(_) => {
                    let _ = child.kill();
                    panic!("the server did not start: {:?}", said.lock().unwrap());
                }
            }
        };
        let admin = admin.unwrap();
        Self { child, address, admin, said, reader: Some(reader) }
    }

    /// Starts a server and kills it so soon that it may not be up.
    pub(crate) fn start_and_kill(config: &Path, listen: SocketAddr, after: Duration) {
        let mut command = waxwing();
        command.arg("serve").arg("--config").arg(config).arg("--listen").arg(listen.to_string());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Whether these words are among what it said so far.
    pub(crate) fn has_said(&self, words: &str) -> bool {
        self.count(words) > 0
    }

    /// How many lines of what it said so far have these words.
    pub(crate) fn count(&self, words: &str) -> usize {
        self.said.lock().unwrap().iter().filter(|line| line.contains(words)).count()
    }

    /// Waits for its end; all that it said.
    pub(crate) fn ended(mut self) -> Ran {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => panic!("the server did not stop"),
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        self.reader.take().unwrap().join().unwrap();
        let mut stdout = String::new();
        let mut pipe = self.child.stdout.take().unwrap();
        pipe.read_to_string(&mut stdout).unwrap();
        let stderr = self.said.lock().unwrap().join("\n");
        Ran { code: status.code().unwrap(), stdout, stderr }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the tests are to run a tenth of their cases.
pub(crate) fn is_quick() -> bool {
    std::env::var("WAXWING_QUICK").is_ok_and(|value| value == "1")
}

/// A call of this moment with a nonce of the test's choice, signed with the site's key.
pub(crate) fn signed(site: &Site, tool: &str, args: Value, nonce: &str) -> Vec<u8> {
    use base64::Engine as _;
    let profile: toml::Table = site.read("client.toml").parse().unwrap();
    let text = |name: &str| profile[name].as_str().unwrap();
    let secret = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(text("secret")).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let request = Request {
        request_id: "r-1".parse().unwrap(),
        ts_ms: now.as_millis().try_into().unwrap(),
        client_id: text("client_id").parse().unwrap(),
        server_id: text("server_id").parse().unwrap(),
        key_id: text("key_id").parse().unwrap(),
        nonce: nonce.parse().unwrap(),
        tool: tool.parse().unwrap(),
        args,
        idempotency_key: None,
        tool_digest: None,
        traceparent: None,
    };
    let mut message = Vec::new();
    let key = HmacKey::new(&secret).unwrap().into();
    sign_request(&key, &request, &mut Scratch::new(), &mut message).unwrap();
    message
}

/// Posts a signed message: the HTTP status, and all of the answer.
pub(crate) fn post(address: SocketAddr, body: &[u8]) -> (u16, String) {
    let head = format!(
        "POST /v1/call HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let answer = exchange(address, &[head.as_bytes(), body].concat());
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

/// What a server has at a path, head and all.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    exchange(address, head.as_bytes())
}

fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// All jobs of a store.
pub(crate) async fn stored(store: &dyn Store) -> Vec<Listed> {
    let (mut jobs, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(Filter { after, limit: 500, ..Filter::default() }).await.unwrap();
        jobs.extend(page.jobs);
        after = page.next;
        if after.is_none() {
            return jobs;
        }
    }
}
