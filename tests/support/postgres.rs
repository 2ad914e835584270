//! A real PostgreSQL server of one's own, from the installed binaries: private directory and port, TLS on, gone at the end.

#![allow(dead_code, reason = "each user takes a part")]

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// See the module.
pub struct Server {
    bin: PathBuf,
    dir: tempfile::TempDir,
    /// The user that the server runs as, where we are root, which it refuses to be.
    user: Option<u32>,
    child: Option<Child>,
    pub port: u16,
}

/// The password of the role `careful`; the role `at` needs none.
pub const PASSWORD: &str = "correct:horse\\battery";

impl Server {
    /// Starts a server, or says why not, which is a failure where `ALGO_TRADER_REQUIRE_POSTGRES=1`.
    pub fn start() -> Option<Self> {
        let Some(bin) = binaries() else {
            let required = std::env::var_os("ALGO_TRADER_REQUIRE_POSTGRES").is_some_and(|v| v == "1");
            assert!(!required, "no PostgreSQL server is installed (apt-get install postgresql)");
            println!("SKIPPED: no PostgreSQL server is installed (apt-get install postgresql)");
            return None;
        };
        let dir = tempfile::tempdir().expect("a directory");
        let user = (id("-u", None) == Some(0)).then(|| id("-u", Some("nobody")).expect("there is a nobody"));
        let mut server = Self { bin, dir, user, child: None, port: 0 };
        server.own(server.dir.path());
        let data = server.data();
        let initdb = server
            .command("initdb")
            .arg("-D")
            .arg(&data)
            .args(["--username=at", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .output();
        let initdb = initdb.expect("initdb runs");
        assert!(initdb.status.success(), "initdb: {}", String::from_utf8_lossy(&initdb.stderr));
        server.certificates();
        fs::write(
            data.join("pg_hba.conf"),
            "hostssl all careful all scram-sha-256\nhost all at all trust\nlocal all at trust\n",
        )
        .expect("our directory");
        // Between its choice and its use another program may take a port.
        let up = (0..10).any(|_| {
            server.choose_port();
            server.try_up()
        });
        assert!(up, "the server does not start");
        server.sql("postgres", &format!("CREATE ROLE careful LOGIN SUPERUSER PASSWORD '{PASSWORD}'"));
        Some(server)
    }

    /// The certificate of who vouches for the server.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// An address of a database on it, verified.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://at@localhost:{}/{database}?sslmode=verify-full", self.port)
    }

    /// An address of a database on it, by its socket.
    pub fn socket_url(&self, database: &str) -> String {
        let dir = self.dir.path().display().to_string().replace('/', "%2F");
        format!("postgres://at@{dir}:{}/{database}", self.port)
    }

    /// Runs a statement.
    pub fn sql(&self, database: &str, sql: &str) {
        self.client(database).batch_execute(sql).expect(sql);
    }

    pub fn client(&self, database: &str) -> postgres::Client {
        let socket = self.dir.path().display();
        let config = format!("host={socket} port={} user=at dbname={database}", self.port);
        postgres::Client::connect(&config, postgres::NoTls).expect("the server is up")
    }

    fn choose_port(&mut self) {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        self.port = free.local_addr().expect("it is bound").port();
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\nssl = on\n\
             ssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\nmax_connections = 20\nshared_buffers = '64MB'\n",
            self.port,
            self.dir.path().display()
        );
        fs::write(self.data().join("postgresql.auto.conf"), settings).expect("our directory");
    }

    /// Starts it again, and waits until it answers.
    pub fn up(&mut self) {
        // While it was down, its port may have been lent to a connection.
        let up = (0..60).any(|times| {
            std::thread::sleep(Duration::from_secs(u64::from(times > 0)));
            self.try_up()
        });
        assert!(up, "the server does not start");
    }

    /// Starts it, and waits until it answers; false where it ends instead.
    fn try_up(&mut self) -> bool {
        let data = self.data();
        let mut command = self.command("postgres");
        command.arg("-D").arg(&data).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("postgres runs"));
        let begun = Instant::now();
        let socket = self.dir.path().display();
        let config = format!("host={socket} port={} user=at dbname=postgres", self.port);
        while let Err(error) = postgres::Client::connect(&config, postgres::NoTls) {
            let child = self.child.as_mut().expect("just started");
            if child.try_wait().expect("it can be asked").is_some() {
                self.child = None;
                return false;
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "the server does not start: {error}");
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// Stops it as a power cut would: no check point, connections cut.
    pub fn down(&mut self) {
        if let Some(mut child) = self.child.take() {
            let data = self.data();
            let stopped = self.command("pg_ctl").args(["stop", "--mode=immediate", "-D"]).arg(&data).output();
            if !stopped.is_ok_and(|o| o.status.success()) {
                let _ = child.kill();
            }
            let _ = child.wait();
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn own(&self, path: &Path) {
        if let Some(user) = self.user {
            chown(path, Some(user), None).expect("root may");
        }
    }

    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        let mut command = match self.user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={user}")).args(["--clear-groups", "--"]).arg(program);
                command
            }
        };
        command.current_dir(self.dir.path());
        command
    }

    fn certificates(&self) {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA");
        let key = KeyPair::generate().expect("a key");
        let named = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let certificate = named.signed_by(&key, &ca).expect("a certificate");
        fs::write(self.ca_file(), ca.pem()).expect("our directory");
        for (name, text) in [("server.pem", certificate.pem()), ("server.key", key.serialize_pem())] {
            let path = self.data().join(name);
            fs::write(&path, text).expect("our directory");
            fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("our file");
            self.own(&path);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
    }
}

fn binaries() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path().join("bin"))
        .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()))
        .filter(|bin| ["initdb", "postgres", "pg_ctl"].iter().all(|p| bin.join(p).exists()))
        .collect();
    found.sort();
    found.pop()
}

fn id(what: &str, user: Option<&str>) -> Option<u32> {
    let output = Command::new("id").arg(what).args(user).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}
