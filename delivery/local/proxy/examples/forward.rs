//! One port before fixed instances, to measure the proxy: `forward PORT ADDRESS…`.

use std::net::{Ipv4Addr, SocketAddr};

use mercurious_proxy::{EndpointId, FrontProxy, PoolName, ProxySettings};
use mercurious_runtime::{Tasks, terminated};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().ok_or("usage: forward PORT ADDRESS…")?.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let tasks = Tasks::new();
        let settings = ProxySettings::default();
        let deadline = settings.stop_deadline * 2;
        let proxy = FrontProxy::new(tasks.clone(), settings);
        let name = PoolName::new("measured")?;
        proxy.listen_service(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), name.clone())?;
        for (number, address) in arguments.enumerate() {
            proxy
                .pool(name.clone())
                .insert(EndpointId::new(&number.to_string())?, address.parse()?);
        }
        terminated().await?;
        tasks.shut_down(deadline).await;
        Ok(())
    })
}
