{{- /* Labels of every object. Call with (dict "root" $ "component" NAME). */}}
{{- define "store.labels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
urumi.dev/store: {{ .root.Values.store.id | quote }}
{{- end }}

{{- /* What selects a component's pods, and never changes. Call like store.labels. */}}
{{- define "store.selector" -}}
app.kubernetes.io/component: {{ .component }}
urumi.dev/store: {{ .root.Values.store.id | quote }}
{{- end }}

{{- /*
The stamp by which reconcile knows that what it sees was made for the generation it waits for. Of the workload only:
on its pods it would restart a shop for a change that is none of theirs.
int64, because a number from JSON is a float here and would read 1e+06.
*/}}
{{- define "store.generation" -}}
urumi.dev/generation: {{ .Values.store.generation | int64 | quote }}
{{- end }}
