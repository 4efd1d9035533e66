//! One machine as a home: workloads as processes behind the front proxy, state in a data directory.
