package review

import (
	"encoding/json"
	"io"
	"path"
)

// The part of SARIF 2.1.0 that a review needs.
// Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID     string       `json:"id"`
		Short  sarifText    `json:"shortDescription"`
		Full   sarifText    `json:"fullDescription"`
		Help   sarifText    `json:"help"`
		Config sarifDefault `json:"defaultConfiguration"`
		Tags   sarifTags    `json:"properties"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifDefault struct {
		Level string `json:"level"`
	}
	sarifTags struct {
		Tags []string `json:"tags"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification"`
	}
)

// SARIF writes the findings as SARIF 2.1.0, with every rule. dir goes before each file's name: the topology's folder in the
// repository; version is Seam's. What is waived is suppressed, with its reason.
func (r *Report) SARIF(w io.Writer, dir, version string) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "seam review", Version: version, InformationURI: "https://github.com/binaryandbeyond/seam", Rules: []sarifRule{}}}, Results: []sarifResult{}}
	index := map[string]int{}
	for i := range rules {
		rule := &rules[i]
		index[rule.ID] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{ID: rule.ID, Short: sarifText{rule.Title}, Full: sarifText{rule.Why}, Help: sarifText{rule.Mend},
			Config: sarifDefault{string(rule.Severity)}, Tags: sarifTags{[]string{rule.Question.String()}}})
	}
	for _, f := range r.Findings {
		res := sarifResult{RuleID: f.Rule, RuleIndex: index[f.Rule], Level: string(f.Severity), Message: sarifText{f.Text + ". Mend: " + f.Mend},
			Locations:    []sarifLocation{{sarifPhysical{sarifArtifact{path.Join(dir, f.File)}, sarifRegion{f.Line}}, []sarifLogical{{f.On}}}},
			Fingerprints: map[string]string{"seamReview/v1": f.Rule + ":" + f.On + ":" + f.Text}}
		if f.Waived != nil {
			res.Suppressions = []sarifSuppression{{"external", f.Waived.Reason + " (" + f.Waived.Owner + ", until " + f.Waived.Expires + ")"}}
		}
		run.Results = append(run.Results, res)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

// JSON writes the report as one object.
func (r *Report) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}
