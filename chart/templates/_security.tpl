{{- /* The pod's share of Pod Security "restricted". Call with the numeric user id: names prove nothing to runAsNonRoot. */}}
{{- define "security.pod" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
# Else every start walks the whole volume.
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- /* The container's share, the same for all of them. */}}
{{- define "security.container" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
{{- end }}
