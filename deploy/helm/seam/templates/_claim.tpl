{{- /* A claim for /var/lib/seam, from persistence. */}}
{{- define "seam.claim" -}}
- metadata: {name: data}
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources: {requests: {storage: {{ .size }}}}
{{- end }}

{{- /* Integrations that run, each with the defaults: JSON of name: values. */}}
{{- define "seam.integrations" -}}
{{- $out := dict }}
{{- range $name, $own := .Values.integrations }}
{{- $in := mustMergeOverwrite (deepCopy $.Values.integrationDefaults) (deepCopy ($own | default dict)) }}
{{- if and $own (hasKey $own "enabled") }}{{ $_ := set $in "enabled" $own.enabled }}{{ end }}
{{- if and $own (hasKey $own "replicas") }}{{ $_ := set $in "replicas" $own.replicas }}{{ end }}
{{- if $in.enabled }}{{ $_ := set $out $name $in }}{{ end }}
{{- end }}
{{- toJson $out }}
{{- end }}
