//! A private RabbitMQ from unpacked packages, without root.
//!
//! It shares nothing with any other broker of the machine: home (so the cookie), node name, data, configuration and ports are its own. There is
//! no epmd, which would outlive it: the node is told its distribution port (`-start_epmd false -erl_epmd_port`, OTP ≥ 23.1) and is named before
//! RabbitMQ boots. With input allowed, the launch script becomes the Erlang machine instead of starting it, so one process is the server.

use std::io;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use lapin::{Connection, ConnectionProperties};

use super::{Private, ServerError, private};
use crate::health::Health;
use crate::http;
use crate::launch::Launch;
use crate::port::free_port;
use crate::{Installation, RabbitMqFiles};

const NAME: &str = "rabbitmq";
const GUEST: &str = "Z3Vlc3Q6Z3Vlc3Q="; // guest:guest; RabbitMQ lets that user in from this machine only

/// The ports of one broker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) amqp: u16,
    pub(crate) management: u16,
    pub(crate) distribution: u16,
}

/// A private RabbitMQ, a [`Private`] server; its URI is that of the default virtual host.
///
/// A quorum queue declared less than about 3 s before `kill9` stays without a leader for ever: RabbitMQ 3.10 writes its registration late
/// (measured; with a usual installation as well). Messages confirmed to older queues survive.
#[derive(Debug)]
pub struct RabbitMq {
    server: Private,
    ports: Ports,
}

impl RabbitMq {
    /// Ready for logins when this returns.
    pub async fn start(installation: &Installation) -> Result<Self, ServerError> {
        let ports = Ports { amqp: free_port(), management: free_port(), distribution: free_port() };
        let folder = private::folder(NAME)?;
        let launch = launch(&installation.rabbitmq, folder.path(), ports)
            .map_err(|error| ServerError::Launch { name: NAME, error })?;
        let health = Health::RabbitMq { uri: uri(ports.amqp), port: ports.amqp };
        let mut server = Private::new(NAME, ports.amqp, uri(ports.amqp), folder, launch, health);
        server.restart().await?;
        Ok(Self { server, ports })
    }

    /// The port of the management API (HTTP, `guest:guest`).
    pub fn management_port(&self) -> u16 {
        self.ports.management
    }

    /// Creates a virtual host (its name: letters, digits, `-`, `_`, `.`) and gives its URI: a broker of its own for one test, in milliseconds.
    pub async fn create_vhost(&self, name: &str) -> Result<String, ServerError> {
        self.manage("PUT", name).await?;
        Ok(format!("amqp://guest:guest@127.0.0.1:{}/{name}", self.server.port()))
    }

    /// Deletes a virtual host with all that is in it.
    pub async fn delete_vhost(&self, name: &str) -> Result<(), ServerError> {
        self.manage("DELETE", name).await
    }

    /// Raises the memory alarm, as a broker does that runs short of it: it takes nothing from publishers until `ease`.
    pub async fn press(&self) -> Result<(), ServerError> {
        self.control(&["set_vm_memory_high_watermark", "0.00001"]).await
    }

    /// Ends the memory alarm.
    pub async fn ease(&self) -> Result<(), ServerError> {
        self.control(&["set_vm_memory_high_watermark", "0.6"]).await
    }

    /// Runs `rabbitmqctl` against it.
    async fn control(&self, arguments: &[&str]) -> Result<(), ServerError> {
        let launch = self.server.launch();
        // Its own machine finds the node as the node was told to listen, and listens itself nowhere.
        let machine = format!("-start_epmd false -erl_epmd_port {} -dist_listen false", self.ports.distribution);
        let output = tokio::process::Command::new(launch.program.with_file_name("rabbitmqctl"))
            .args(arguments)
            .env_clear()
            .envs(&launch.environment)
            .env("RABBITMQ_CTL_ERL_ARGS", machine)
            .current_dir(&launch.folder)
            .output()
            .await
            .map_err(|error| ServerError::Launch { name: "rabbitmqctl", error })?;
        if output.status.success() {
            return Ok(());
        }
        let why = [output.stdout, output.stderr].concat();
        Err(ServerError::Refused { name: NAME, why: String::from_utf8_lossy(&why).trim().to_owned() })
    }

    async fn manage(&self, method: &str, vhost: &str) -> Result<(), ServerError> {
        let address = format!("127.0.0.1:{}", self.ports.management);
        let why = match http::status(method, &address, &format!("/api/vhosts/{vhost}"), Some(GUEST)).await {
            Ok(200..300) => return Ok(()),
            Ok(code) => format!("{method} of the virtual host {vhost}: {code}"),
            Err(error) => format!("{method} of the virtual host {vhost}: {error}"),
        };
        Err(ServerError::Refused { name: NAME, why })
    }
}

impl Deref for RabbitMq {
    type Target = Private;

    fn deref(&self) -> &Private {
        &self.server
    }
}

impl AsRef<Private> for RabbitMq {
    fn as_ref(&self) -> &Private {
        &self.server
    }
}

impl DerefMut for RabbitMq {
    fn deref_mut(&mut self) -> &mut Private {
        &mut self.server
    }
}

pub(crate) fn uri(port: u16) -> String {
    format!("amqp://guest:guest@127.0.0.1:{port}/%2f")
}

/// One login with an orderly goodbye.
pub(crate) async fn amqp_login(uri: &str) -> Result<(), String> {
    let connection =
        Connection::connect(uri, ConnectionProperties::default()).await.map_err(|error| error.to_string())?;
    connection.close(200, "".into()).await.map_err(|error| error.to_string())
}

/// Writes the broker's configuration into the folder and says how to run it there.
pub(crate) fn launch(files: &RabbitMqFiles, folder: &Path, ports: Ports) -> io::Result<Launch> {
    configure(folder, ports)?;
    let home = server_folder(&files.root)?;
    let erlang = files.root.join("usr/lib/erlang");
    let node = "twin@localhost";
    let machine = format!(
        "-noinput -sname {node} -start_epmd false -erl_epmd_port {} -kernel inet_dist_use_interface {{127,0,0,1}}",
        ports.distribution
    );
    let at = |name: &str| folder.join(name).display().to_string();
    Ok(Launch::new(home.join("sbin/rabbitmq-server"), folder)
        .path_first(&erlang.join("bin"))
        .env("ERL_ROOTDIR", erlang.display())
        .env("RABBITMQ_ALLOW_INPUT", "true")
        // Where the port mapper is missed once a minute, a short-lived machine fails: no dump of it.
        .env("ERL_CRASH_DUMP_SECONDS", 0)
        .env("RABBITMQ_NODENAME", node)
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", ports.amqp)
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", machine)
        .env("RABBITMQ_PLUGINS_DIR", home.join("plugins").display())
        .env("RABBITMQ_MNESIA_BASE", at("data"))
        .env("RABBITMQ_LOG_BASE", at("log"))
        .env("RABBITMQ_LOGS", "-")
        .env("RABBITMQ_CONF_ENV_FILE", at("rabbitmq-env.conf"))
        .env("RABBITMQ_CONFIG_FILE", at("rabbitmq.conf"))
        .env("RABBITMQ_ADVANCED_CONFIG_FILE", at("advanced.config"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", at("enabled_plugins"))
        .env("RABBITMQ_PID_FILE", at("rabbitmq.pid")))
}

fn configure(folder: &Path, ports: Ports) -> io::Result<()> {
    let Ports { amqp, management, .. } = ports;
    let settings = format!(
        "listeners.tcp.default = 127.0.0.1:{amqp}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}\n"
    );
    std::fs::create_dir_all(folder.join("data"))?;
    std::fs::create_dir_all(folder.join("log"))?;
    std::fs::write(folder.join("rabbitmq.conf"), settings)?;
    std::fs::write(folder.join("rabbitmq-env.conf"), "")?;
    std::fs::write(folder.join("enabled_plugins"), "[rabbitmq_management].\n")
}

/// `…/rabbitmq_server-<version>` below the root of the packages.
fn server_folder(root: &Path) -> io::Result<PathBuf> {
    let library = root.join("usr/lib/rabbitmq/lib");
    let found = std::fs::read_dir(&library)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.join("sbin/rabbitmq-server").is_file());
    found.ok_or_else(|| io::Error::other(format!("no RabbitMQ in {}", library.display())))
}
