use std::{fs, net::Ipv4Addr, process::Command};

use anyhow::{Context as _, bail, ensure};

/// The addresses of one cluster: those of another one on this machine differ in the third byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subnet {
    number: u8,
}

impl Subnet {
    /// Takes one that no other cluster here has: its link's name is the lock.
    pub(crate) fn take() -> anyhow::Result<Self> {
        let mut refusal = String::new();
        for _ in 0..50 {
            let subnet = Self { number: fastrand::u8(1..=250) };
            if routes()?.contains(&subnet.network()) {
                continue;
            }
            let (host, node) = (subnet.host_link(), subnet.node_link());
            match ip(&["link", "add", &host, "type", "veth", "peer", "name", &node]) {
                Ok(()) => return Ok(subnet),
                Err(error) => refusal = error.to_string(),
            }
        }
        bail!("no network link could be made: {refusal}")
    }

    /// Gives the node's end to the namespace of this process, and addresses and routes to our own.
    pub(crate) fn attach(self, process: u32) -> anyhow::Result<()> {
        let link = self.host_link();
        ip(&["link", "set", &self.node_link(), "netns", &process.to_string()])?;
        ip(&["addr", "add", &format!("{}/24", self.host()), "dev", &link])?;
        ip(&["link", "set", &link, "up"])?;
        for network in [self.pods(), self.services()] {
            ip(&["route", "add", &network, "via", &self.node().to_string()])?;
        }
        Ok(())
    }

    /// Inside: addresses, and the default route that Services want. The host forwards nothing.
    pub(crate) fn configure_node(self) -> anyhow::Result<()> {
        let link = self.node_link();
        ip(&["link", "set", "lo", "up"])?;
        ip(&["link", "set", &link, "name", "eth0"])?;
        ip(&["addr", "add", &format!("{}/24", self.node()), "dev", "eth0"])?;
        ip(&["link", "set", "eth0", "up"])?;
        ip(&["route", "add", "default", "via", &self.host().to_string()])?;
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("cannot forward between pods")
    }

    /// The link goes by itself with its namespace; before it has one, only so.
    pub(crate) fn release(self) {
        // Gone already, as a rule.
        let _ = ip(&["link", "delete", &self.host_link()]);
    }

    /// This machine, as the node and its pods see it.
    pub(crate) fn host(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number, 1)
    }

    /// The node.
    pub(crate) fn node(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number, 2)
    }

    fn network(self) -> String {
        format!("10.77.{}.0/24", self.number)
    }

    pub(crate) fn pods(self) -> String {
        format!("10.78.{}.0/24", self.number)
    }

    pub(crate) fn services(self) -> String {
        format!("10.79.{}.0/24", self.number)
    }

    /// The API server, as pods see it.
    pub(crate) fn first_service(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 79, self.number, 1)
    }

    pub(crate) fn number(self) -> u8 {
        self.number
    }

    pub(crate) fn numbered(number: u8) -> Self {
        Self { number }
    }

    fn host_link(self) -> String {
        format!("mercurious{}", self.number)
    }

    fn node_link(self) -> String {
        format!("mercurious{}n", self.number)
    }
}

fn routes() -> anyhow::Result<String> {
    let output = Command::new("ip").args(["-4", "route", "list"]).output().context("ip")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("ip").args(arguments).output().context("cannot run ip")?;
    ensure!(
        output.status.success(),
        "ip {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
