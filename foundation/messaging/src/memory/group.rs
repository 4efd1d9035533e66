use std::collections::{BTreeMap, BTreeSet};

use crate::Partition;

/// Who has which partition of a group, and who should.
#[derive(Debug, Default)]
pub(super) struct Group {
    members: BTreeMap<u64, Vec<String>>,
    owners: BTreeMap<Partition, u64>,
    targets: BTreeMap<Partition, u64>,
    revoking: BTreeSet<Partition>,
    committed: BTreeMap<Partition, i64>,
}

/// What a member is to be told.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) assigned: Vec<Partition>,
    pub(super) revoked: Vec<Partition>,
}

impl Group {
    pub(super) fn topics(&self) -> Vec<String> {
        let topics: BTreeSet<_> = self.members.values().flatten().cloned().collect();
        topics.into_iter().collect()
    }

    pub(super) fn committed(&self, partition: &Partition) -> i64 {
        self.committed.get(partition).copied().unwrap_or(0)
    }

    pub(super) fn commit(&mut self, member: u64, partition: &Partition, next: i64) {
        if self.owners.get(partition) == Some(&member) {
            let committed = self.committed.entry(partition.clone()).or_default();
            *committed = next.max(*committed);
        }
    }

    pub(super) fn join(&mut self, member: u64, topics: Vec<String>, all: &[Partition]) {
        self.members.insert(member, topics);
        self.share_out(all);
    }

    pub(super) fn leave(&mut self, member: u64, all: &[Partition]) {
        self.members.remove(&member);
        let gone: Vec<_> = self
            .owners
            .iter()
            .filter(|(_, owner)| **owner == member)
            .map(|(p, _)| p.clone())
            .collect();
        for partition in gone {
            self.release(&partition);
        }
        self.share_out(all);
    }

    /// Gives each partition to a member that reads its topic.
    fn share_out(&mut self, all: &[Partition]) {
        self.targets.clear();
        // Topics that the same members read are shared out together.
        let mut shares: BTreeMap<Vec<u64>, Vec<Partition>> = BTreeMap::new();
        for partition in all {
            let reads = |(_, topics): &(&u64, &Vec<String>)| topics.contains(&partition.topic);
            let readers = self.members.iter().filter(reads).map(|(member, _)| *member).collect();
            shares.entry(readers).or_default().push(partition.clone());
        }
        for (readers, partitions) in shares {
            self.share_among(&readers, &partitions);
        }
    }

    /// Gives each partition to one of `members`, with as few moves as an even share allows.
    fn share_among(&mut self, members: &[u64], partitions: &[Partition]) {
        if members.is_empty() {
            return;
        }
        let most = partitions.len().div_ceil(members.len());
        let mut counts: BTreeMap<u64, usize> = members.iter().map(|member| (*member, 0)).collect();
        let mut homeless = Vec::new();
        for partition in partitions {
            match self
                .owners
                .get(partition)
                .and_then(|owner| Some((*owner, counts.get_mut(owner)?)))
            {
                Some((owner, count)) if *count < most => {
                    *count += 1;
                    self.targets.insert(partition.clone(), owner);
                }
                _ => homeless.push(partition.clone()),
            }
        }
        for partition in homeless {
            let least = counts.iter_mut().min_by_key(|(member, count)| (**count, **member));
            if let Some((member, count)) = least {
                *count += 1;
                self.targets.insert(partition, *member);
            }
        }
    }

    /// Moves a partition of `member` to another member, or takes it and gives it back.
    pub(super) fn shuffle(&mut self, member: u64, random: &mut fastrand::Rng) {
        let Some(partition) = random.choice(self.owned(member)) else { return };
        let reads = |(_, topics): &(&u64, &Vec<String>)| topics.contains(&partition.topic);
        let readers: Vec<u64> =
            self.members.iter().filter(reads).map(|(member, _)| *member).collect();
        let Some(to) = random.choice(&readers) else { return };
        self.targets.insert(partition.clone(), *to);
    }

    /// Takes a partition of `member` away without notice.
    pub(super) fn lose(&mut self, member: u64, random: &mut fastrand::Rng) -> Option<Partition> {
        let partition = random.choice(self.owned(member))?;
        self.release(&partition);
        Some(partition)
    }

    fn owned(&self, member: u64) -> Vec<Partition> {
        let owned = self
            .owners
            .iter()
            .filter(|(partition, owner)| **owner == member && !self.revoking.contains(*partition));
        owned.map(|(partition, _)| partition.clone()).collect()
    }

    /// The partition has no owner any more.
    pub(super) fn release(&mut self, partition: &Partition) {
        self.owners.remove(partition);
        self.revoking.remove(partition);
    }

    /// What has changed for `member` since it was asked for last.
    pub(super) fn changes(&mut self, member: u64) -> Changes {
        let mut changes = Changes::default();
        for (partition, target) in &self.targets {
            match self.owners.get(partition) {
                None if *target == member => {
                    self.owners.insert(partition.clone(), member);
                    changes.assigned.push(partition.clone());
                }
                Some(owner)
                    if *owner == member
                        && *target != member
                        && self.revoking.insert(partition.clone()) =>
                {
                    changes.revoked.push(partition.clone());
                }
                _ => {}
            }
        }
        changes
    }
}
