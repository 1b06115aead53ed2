// Package topologytest is the door through which tests reach a Kafka with its registry.
//
// In comes a test; out goes a running broker and registry with a prefix that is the test's own. When SEAM_BROKERS and
// SEAM_REGISTRY are set it is that cluster (deploy/local/cluster.sh starts one), and what the test made is removed at its
// end; otherwise it is a broker inside the process, on loopback, which ends with the test. The test does not see which,
// so one suite runs on both. Only tests import it.
package topologytest
