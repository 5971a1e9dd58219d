-- Argo CD's health of a ModelArtsAccount. It uses only Lua's base library: no string, no math.
-- `make generate` writes argocd-cm.yaml from this file.
local function health(status, message)
  -- From 3.6 Argo CD shows deletionMessage for an object that is being deleted, and message for all others.
  return { status = status, message = message, deletionMessage = message }
end

local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
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
  return health("Progressing", "Pending deletion: waiting until no node pool object refers to the account")
end
if status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "waiting for the operator to observe this version of the account")
end
if conditions.Stalled ~= nil and conditions.Stalled.status == "True" then
  return health("Degraded", because("Stalled"))
end
if conditions.Ready ~= nil and conditions.Ready.status == "True" then
  return health("Healthy", because("Ready"))
end
return health("Progressing", because("Ready"))
