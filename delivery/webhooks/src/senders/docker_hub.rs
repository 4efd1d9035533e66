//! Docker Hub: a tag was pushed. It sends no signature and no id; the time of the push tells deliveries apart.

use crate::notice::{Delivery, Malformed, Notice, Told};

pub(super) fn read(notice: &Notice<'_>) -> Result<Delivery, Malformed> {
    let body = notice.json()?;
    let name = body.needed("/repository/repo_name")?;
    let tag = body.text("/push_data/tag");
    let told = Told::new("repository.repo_name", &format!("docker.io/{name}"), tag, None)?;
    let id = body
        .at("/push_data/pushed_at")
        .map(|at| format!("{name} {} {at}", tag.unwrap_or_default()));
    Ok(Delivery::image(id, told))
}
