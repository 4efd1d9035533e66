use http::Request;
use mercurious_proxy::{HostPattern, PathPattern, PoolName, Route, Routes};

use crate::stage::{Client, Stage, any_port, full, id};

fn route(host: &str, path: &str, pool: &str) -> Route {
    Route {
        host: HostPattern::parse(host).unwrap(),
        path: PathPattern::prefix(path).unwrap(),
        pool: PoolName::new(pool).unwrap(),
    }
}

#[tokio::test]
async fn hosts_and_paths_find_their_pools_and_routes_change_at_once() {
    let stage = Stage::new();
    let address = stage.proxy.listen_hosts(any_port()).unwrap();
    let (web, api) = (stage.named("web").await, stage.named("api").await);
    stage.proxy.pool(PoolName::new("web").unwrap()).insert(id("web-1"), web.address);
    stage.proxy.pool(PoolName::new("api").unwrap()).insert(id("api-1"), api.address);
    let mut client = Client::connect(address, &stage.tasks).await;
    let mut ask = async |host: &str, path: &str| {
        let request = Request::get(path).header("host", host).body(full("")).unwrap();
        client.exchange(request).await
    };

    let unknown = (404, "no route for host shop.test:8080\n".to_owned());
    assert_eq!(ask("shop.test:8080", "/").await, unknown);
    stage.proxy.set_routes(Routes::new([
        route("shop.test", "/", "web"),
        route("shop.test", "/api", "api"),
        route("*.preview.test", "/x", "web"),
    ]));
    assert_eq!(ask("shop.test:8080", "/").await.1, "web:");
    assert_eq!(ask("SHOP.test", "/api/v1?q=1").await.1, "api:");
    assert_eq!(ask("shop.test", "/apish").await.1, "web:");
    assert_eq!(ask("one.preview.test", "/x/y").await.1, "web:");
    let nowhere = (404, "no route for path /y on host one.preview.test\n".to_owned());
    assert_eq!(ask("one.preview.test", "/y").await, nowhere);
    assert_eq!(ask("a.b.preview.test", "/x").await.0, 404);

    stage.proxy.set_routes(Routes::new([route("shop.test", "/", "api")]));
    assert_eq!(ask("shop.test", "/").await.1, "api:", "on the same connection");
    assert_eq!(ask("one.preview.test", "/x").await.0, 404);
    assert_eq!(stage.proxy.snapshot().refused, 4);
}
