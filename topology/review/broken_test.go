package review

import (
	"testing"
	"testing/fstest"
)

// TestBroken: whatever becomes of one file, a review ends, and tells of it once it cannot be read.
func TestBroken(t *testing.T) {
	t.Parallel()
	for name, file := range shipped(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for what, text := range map[string]string{"empty": "", "a list": "- a\n", "half": string(file.Data[:len(file.Data)/2]), "no YAML": "a: [\n", "nothing said": "{}\n"} {
				files := shipped(t)
				files[name] = &fstest.MapFile{Data: []byte(text)}
				report := Folder(files, nothing, today)
				if unreadable := what == "empty" || what == "no YAML"; unreadable && report.Count(Error) == 0 {
					t.Errorf("%s: nothing found", what)
				}
				for _, f := range report.Findings {
					if f.Line < 1 || f.File == "" || f.On == "" || f.Text == "" || f.Mend == "" {
						t.Errorf("%s: %+v", what, f)
					}
				}
			}
			files := shipped(t)
			delete(files, name)
			Folder(files, nothing, today)
		})
	}
	if report := Folder(fstest.MapFS{}, nothing, today); report.Count(Error) == 0 {
		t.Error("an empty folder has nothing wrong")
	}
}
