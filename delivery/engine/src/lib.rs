//! Detect, decide, apply, report: the loop, over ports.
