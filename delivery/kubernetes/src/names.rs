//! The names that are written into a cluster: one place, for they are an interface.

/// Our API group.
pub(crate) const GROUP: &str = "mercurious.dev";
/// Its version.
pub(crate) const VERSION: &str = "v1alpha1";
/// Flux's API group of image reflection.
pub(crate) const FLUX_GROUP: &str = "image.toolkit.fluxcd.io";
/// Who owns the image field after we wrote it.
pub(crate) const FIELD_MANAGER: &str = "mercurious";
/// Who owns the annotation of a restart. It is a manager of its own: an apply that leaves a field out gives it up.
pub(crate) const RESTART_MANAGER: &str = "mercurious-restart";
/// On the pod template: the token of the last restart that the engine asked for.
pub(crate) const RESTART_ANNOTATION: &str = "mercurious.dev/restart";
/// On an AutoDeploy, followed by the request's id: what a person asks.
pub(crate) const REQUEST_PREFIX: &str = "request.mercurious.dev/";
/// On a Deployment: the image field may be taken over from a controller that writes it too.
pub(crate) const TAKE_OVER_ANNOTATION: &str = "mercurious.dev/take-over";
/// On an ImageRepository: Flux's way to ask for a look.
pub(crate) const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
/// On an ImageRepository: the guide's way.
pub(crate) const GUIDE_RECONCILE: &str = "image.toolkit.fluxcd.io/reconcile";
/// What reports Events.
pub(crate) const REPORTER: &str = "mercurious";
