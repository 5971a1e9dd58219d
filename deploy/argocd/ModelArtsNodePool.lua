-- Argo CD's health of a ModelArtsNodePool. It uses only Lua's base library: no string, no math.
-- `make generate` writes argocd-cm.yaml from this file. The effect of each state on a sync: docs/operations/gitops.md
local function health(status, message)
  -- From 3.6 Argo CD shows deletionMessage for an object that is being deleted, and message for all others.
  return { status = status, message = message, deletionMessage = message }
end

local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function is(kind, wanted)
  return conditions[kind] ~= nil and conditions[kind].status == wanted
end

local function because(kind)
  local condition = conditions[kind]
  if condition == nil then
    return "the operator has not written a status yet"
  end
  return condition.reason .. ": " .. condition.message
end

if obj.metadata.deletionTimestamp ~= nil then
  -- Up to 3.5 Argo CD does not run this and shows "Pending deletion".
  if is("DeletionBlocked", "True") then
    return health("Progressing", because("DeletionBlocked"))
  end
  if is("Reconciling", "True") then
    return health("Progressing", because("Reconciling"))
  end
  return health("Progressing", "Pending deletion")
end

if status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "waiting for the operator to observe this version of the object")
end
if is("Stalled", "True") then
  return health("Degraded", because("Stalled"))
end
if is("Reconciling", "True") then
  return health("Progressing", because("Reconciling"))
end
if is("NodesHealthy", "False") then
  return health("Degraded", because("NodesHealthy"))
end
if not is("Ready", "True") then
  return health("Progressing", because("Ready"))
end
if is("Paused", "True") then
  return health("Suspended", because("Paused"))
end
return health("Healthy", because("Ready"))
