package scaffold

import "github.com/binaryandbeyond/seam/topology"

// source is the text of sources/NAME.yaml.
func source(name string, questions []Question, a map[string]string) string {
	t := &text{}
	t.line("", "# %s: say here what it is. Its webhooks go to /in/%s. docs/integrations.md has every key with its default.", name, name)
	t.line("", "name: %s", name)
	for _, q := range questions {
		t.asked(q, "", q.Key, quoted(a[q.Key]))
	}
	if a[KeyPlatform] == string(topology.StandardWebhooks) {
		t.asked(Question{Ask: "which events does it tell? [fulfillment.shipped, ...]"}, "", "emits", "")
		t.asked(Question{Ask: "how long does it wait for an answer? 15s"}, "", "patience", "")
		t.asked(Question{Ask: "for how long does it repeat what was not answered? 24h"}, "", "retries_for", "")
	}
	v := variable(name)
	t.line("the second while the first is being rotated", "secrets: [\"${%s_SECRET}\", \"${%s_SECRET_OLD:-}\"]", v, v)
	return t.String()
}
