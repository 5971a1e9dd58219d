"""The regions of Huawei Cloud that have ModelArts. Read by modelarts/endpoints.py and credentials/oidc.py.

Endpoints of other clouds and of newer regions come from the operator's settings.
"""

# The regions that have ModelArts, by the region tables of the official SDKs (Python, Go, .NET and Node.js agree):
# https://github.com/huaweicloud/huaweicloud-sdk-python-v3/blob/master/huaweicloud-sdk-modelarts/huaweicloudsdkmodelarts/v1/region/modelarts_region.py
KNOWN_REGIONS = (
    "af-north-1",
    "af-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "cn-east-3",
    "cn-east-4",
    "cn-north-1",
    "cn-north-2",
    "cn-north-4",
    "cn-north-9",
    "cn-north-11",
    "cn-north-12",
    "cn-south-1",
    "cn-southwest-2",
    "cn-southwest-3",
    "la-north-2",
    "la-south-2",
    "me-east-1",
    "sa-brazil-1",
    "tr-west-1",
)
