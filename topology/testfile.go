package topology

import "strings"

// TestSuffix ends the names of files that stand beside an integration's or source's and say what it is to do with events. They
// are no part of the topology: Load passes them by.
const TestSuffix = ".test.yaml"

func isTest(name string) bool { return strings.HasSuffix(name, TestSuffix) }
