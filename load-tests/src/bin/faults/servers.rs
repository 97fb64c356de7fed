//! RabbitMQ, PostgreSQL and Redis that the runs may break. `deploy/services.sh` starts them in a folder that nobody else
//! uses. RabbitMQ can be a cluster: then Debrief reaches its nodes through one door.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use load_tests::harness::balancer::Balancer;
use load_tests::harness::servers::Servers;
use tokio::process::Command;
use tokio::sync::OnceCell;

/// The share of the machine's memory above which RabbitMQ takes no messages, as `services.sh` sets it.
pub(crate) const MEMORY: &str = "0.4";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/services.sh");

/// One of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Rabbitmq,
    Postgresql,
    Redis,
}

impl Server {
    /// Returns the name by which `services.sh` knows the server.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rabbitmq => "rabbitmq",
            Self::Postgresql => "postgresql",
            Self::Redis => "redis",
        }
    }
}

/// The servers. They are started when the first run needs them, and end with [`OwnServers::stop`].
pub(crate) struct OwnServers {
    folder: PathBuf,
    /// The number of nodes of RabbitMQ.
    nodes: usize,
    /// The door to the nodes, if there are several.
    door: OnceCell<Balancer>,
}

/// A node of a cluster. The first one is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node(pub(crate) usize);

impl Node {
    /// Returns the name by which `services.sh` knows the node.
    fn name(self) -> String {
        if self.0 == 1 { "rabbitmq".to_owned() } else { format!("rabbitmq-{}", self.0) }
    }
}

impl OwnServers {
    /// The users as which the servers run must be able to reach `folder`.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), nodes: 1, door: OnceCell::new() }
    }

    /// Returns other servers, of which RabbitMQ is a cluster of so many nodes.
    pub(crate) fn cluster(&self, nodes: usize) -> Self {
        Self { folder: self.cluster_folder(), nodes, door: OnceCell::new() }
    }

    fn cluster_folder(&self) -> PathBuf {
        self.folder.with_extension("cluster")
    }

    /// Starts the servers that do not run, with the same ports and data as before, continues those that were stopped, and
    /// waits until all of them answer.
    pub(crate) async fn start(&self) -> anyhow::Result<Servers> {
        self.script(["start"]).await?;
        let exports = self.script(["env"]).await?;
        let address = |name: &str| {
            let begin = format!("export {name}=");
            let line = exports.lines().find_map(|line| line.strip_prefix(&begin));
            // The address is quoted for a shell.
            let address = line.map(|line| line.replace('\\', ""));
            address.with_context(|| format!("read {name} from the output of services.sh"))
        };
        let mut amqp = address("DEBRIEF_TEST_AMQP_URL")?;
        if self.nodes > 1 {
            let door = self.door.get_or_try_init(|| self.open_door()).await?.address();
            let mut url: url::Url = amqp.parse().context("read the address of RabbitMQ")?;
            url.set_port(Some(door.port())).ok().context("change the port of RabbitMQ")?;
            amqp = url.into();
        }
        Ok(Servers {
            amqp,
            database: address("DEBRIEF_TEST_DATABASE_URL")?,
            redis: address("DEBRIEF_TEST_REDIS_URL")?,
        })
    }

    async fn open_door(&self) -> anyhow::Result<Balancer> {
        let mut nodes = Vec::new();
        for node in (1..=self.nodes).map(Node) {
            let file = self.folder.join(format!("{}.port", node.name()));
            let port = std::fs::read_to_string(&file).context("read the port of a node")?;
            let port = port.trim().parse().context("read the port of a node")?;
            nodes.push(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        }
        Balancer::before(nodes).await
    }

    /// Sends a signal to a node of the cluster.
    pub(crate) async fn signal_node(&self, node: Node, signal: &str) -> anyhow::Result<()> {
        self.script(["signal", &node.name(), signal]).await.map(drop)
    }

    /// Parts a node from the others: they do not see each other, and clients still see all of them.
    pub(crate) async fn cut_off(&self, node: Node) -> anyhow::Result<()> {
        self.script(["cut-off", &node.name()]).await.map(drop)
    }

    /// Ends what [`Self::cut_off`] began.
    pub(crate) async fn join(&self, node: Node) -> anyhow::Result<()> {
        self.script(["join", &node.name()]).await.map(drop)
    }

    /// Kills all processes of a server with `kill -9`. Its port and data are kept for [`Self::start`].
    pub(crate) async fn kill(&self, server: Server) -> anyhow::Result<()> {
        self.script(["signal", server.name(), "KILL"]).await.map(drop)
    }

    /// Stops a server with SIGSTOP: it keeps its connections and answers nothing.
    pub(crate) async fn freeze(&self, server: Server) -> anyhow::Result<()> {
        self.script(["signal", server.name(), "STOP"]).await.map(drop)
    }

    /// Continues a server with SIGCONT.
    pub(crate) async fn thaw(&self, server: Server) -> anyhow::Result<()> {
        self.script(["signal", server.name(), "CONT"]).await.map(drop)
    }

    /// Runs `rabbitmqctl` and returns what it prints. This takes about a second.
    pub(crate) async fn rabbitmqctl(&self, args: &[&str]) -> anyhow::Result<String> {
        self.script(["rabbitmqctl"].iter().chain(args)).await
    }

    /// Mends what a run may have left broken.
    pub(crate) async fn mend(&self) -> anyhow::Result<()> {
        self.start().await?;
        self.rabbitmqctl(&["set_vm_memory_high_watermark", MEMORY]).await.map(drop)
    }

    /// Ends all servers, and those of a cluster that a run could not end.
    pub(crate) async fn stop(&self) -> anyhow::Result<()> {
        let cluster = self.cluster_folder();
        if cluster.exists() {
            let cluster = Self::in_folder(&cluster);
            cluster.script(["stop"]).await?;
        }
        self.script(["stop"]).await.map(drop)
    }

    /// Runs the script and returns what it prints.
    async fn script(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> anyhow::Result<String> {
        let mut command = Command::new("bash");
        command.arg(SCRIPT).args(args).stdin(Stdio::null());
        command.env("DEBRIEF_SERVICES_DIR", &self.folder).env("DEBRIEF_SERVICES_OWN", "1");
        command.env("DEBRIEF_RABBITMQ_NODES", self.nodes.to_string());
        let output = command.output().await.context("run services.sh")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "services.sh: {}\n{errors}", output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
