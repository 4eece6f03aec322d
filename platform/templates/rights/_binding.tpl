{{- /* The identity NAME has the ClusterRole urumi-NAME. Call with (dict "root" $ "name" NAME). */}}
{{- define "rights.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: urumi-{{ .name }}
  labels:
    {{- include "platform.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: urumi-{{ .name }}
subjects:
  - {{ include "identity.subject" . | nindent 4 | trim }}
{{- end }}
