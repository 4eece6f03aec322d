{{- /* An identity as the subject of a binding. Call with (dict "root" $ "name" NAME). */}}
{{- define "identity.subject" -}}
{{- $identity := index .root.Values.identities .name -}}
kind: {{ $identity.kind }}
{{- if eq $identity.kind "ServiceAccount" }}
name: {{ $identity.name | quote }}
namespace: {{ .root.Release.Namespace | quote }}
{{- else }}
apiGroup: rbac.authorization.k8s.io
name: {{ $identity.name | quote }}
{{- end }}
{{- end }}

{{- /* Provision's name as the API server has it in a request. */}}
{{- define "identity.provisionUser" -}}
{{- $identity := .Values.identities.provision -}}
{{- if eq $identity.kind "ServiceAccount" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ $identity.name }}
{{- else -}}
{{ $identity.name }}
{{- end -}}
{{- end }}

{{- define "platform.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
