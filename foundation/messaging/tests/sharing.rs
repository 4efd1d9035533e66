//! How the partitions of a group are shared out.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{collections::BTreeSet, time::Duration};

use mercurious_messaging::{
    Event, Source, Together,
    memory::{Broker, Chaos},
};
use tokio::time::timeout;

fn topics() -> [Vec<String>; 2] {
    ["work", "work-retry"].map(|topic| vec![topic.to_owned()])
}

fn broker() -> Broker {
    Broker::new(1, Chaos::NONE, &topics().concat(), 3)
}

fn apart(broker: &Broker) -> Box<dyn Source> {
    let member = |topics: Vec<String>| -> (Vec<String>, Box<dyn Source>) {
        let member = Box::new(broker.join("workers", &topics));
        (topics, member)
    };
    Box::new(Together::new(topics().map(member).into()))
}

/// What each has once nothing moves any more.
async fn settled(members: &mut [Box<dyn Source>]) -> Vec<BTreeSet<String>> {
    let mut owned = vec![BTreeSet::new(); members.len()];
    let mut quiet = 0;
    while quiet < 3 {
        quiet += 1;
        for (member, owned) in members.iter_mut().zip(&mut owned) {
            while let Ok(event) = timeout(Duration::from_secs(1), member.next()).await {
                quiet = 0;
                match event.unwrap() {
                    Event::Assigned(new) => owned.extend(new.iter().map(ToString::to_string)),
                    Event::Revoked(gone) => {
                        owned.retain(|known| {
                            !gone.partitions.iter().any(|gone| gone.to_string() == *known)
                        });
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    owned
}

fn of_work(owned: &BTreeSet<String>) -> usize {
    owned.iter().filter(|partition| partition.starts_with("work/")).count()
}

#[tokio::test(start_paused = true)]
async fn a_second_replica_gets_its_part_of_the_work_and_not_only_of_the_retries() {
    let broker = broker();
    let mut members = vec![apart(&broker)];
    assert_eq!(of_work(&settled(&mut members).await[0]), 3);
    members.push(apart(&broker));
    let mut first = settled(&mut members[..1]).await.remove(0);
    // What the first one has by now was assigned before.
    first.clear();
    let second = settled(&mut members[1..]).await.remove(0);
    assert_eq!(of_work(&second), 1, "{second:?}");
    assert_eq!(second.len(), 2, "one of the retries as well: {second:?}");
}

#[tokio::test(start_paused = true)]
async fn one_subscription_to_both_may_leave_a_second_replica_with_retries_only() {
    let broker = broker();
    let mut members: Vec<Box<dyn Source>> =
        vec![Box::new(broker.join("workers", &topics().concat()))];
    settled(&mut members).await;
    members.push(Box::new(broker.join("workers", &topics().concat())));
    settled(&mut members[..1]).await;
    let second = settled(&mut members[1..]).await.remove(0);
    assert_eq!(of_work(&second), 0, "this is why each topic has a member of its own: {second:?}");
}
