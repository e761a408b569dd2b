"""rsp.asn as a table, made by `python -m lpad.simulator.asn1.schema`; never edit it by hand.

A node is (kind, tag, content): a leaf has no content, SEQUENCE OF and EXPLICIT have a node, CHOICE has
(name, node) pairs, SEQUENCE has (name, node, optional, default) rows, "=" has the name of a type.
"""

from __future__ import annotations

from typing import Any

# fmt: off
TYPES: dict[str, tuple[Any, ...]] = {
    "OperatorId":
     ("SEQUENCE", 48,
      (("mccMnc", ("OCTET STRING", 128), False, None), ("gid1", ("OCTET STRING", 129), True, None),
       ("gid2", ("OCTET STRING", 130), True, None))),
    "NotificationConfigurationInformation":
     ("SEQUENCE", 48,
      (("profileManagementOperation", ("BIT STRING", 128), False, None),
       ("notificationAddress", ("UTF8String", 129), False, None))),
    "DpProprietaryData":
     ("SEQUENCE", 48, (("dpOid", ("OBJECT IDENTIFIER", 128), False, None),)),
    "VendorSpecificExtension":
     ("SEQUENCE OF", 48, ("ANY", None)),
    "EuiccConfiguredAddressesRequest":
     ("SEQUENCE", 48956, ()),
    "EuiccConfiguredAddressesResponse":
     ("SEQUENCE", 48956,
      (("defaultDpAddress", ("UTF8String", 128), True, None),
       ("rootDsAddress", ("UTF8String", 129), False, None),
       ("additionalRootDsAddress", ("SEQUENCE OF", 162, ("UTF8String", 12)), True, None),
       ("allowedCiPKId", ("OCTET STRING", 131), True, None),
       ("ciList", ("SEQUENCE OF", 164, ("=", None, "CiInfo")), True, None))),
    "CiInfo":
     ("SEQUENCE", 48,
      (("ciPKId", ("OCTET STRING", 128), False, None), ("ciName", ("UTF8String", 129), True, None))),
    "SetDefaultDpAddressRequest":
     ("SEQUENCE", 48959,
      (("defaultDpAddress", ("UTF8String", 128), False, None),
       ("allowedCiPKId", ("OCTET STRING", 129), True, None))),
    "SetDefaultDpAddressResponse":
     ("SEQUENCE", 48959, (("setDefaultDpAddressResult", ("INTEGER", 128), False, None),)),
    "GetEuiccInfo1Request":
     ("SEQUENCE", 48928, ()),
    "EUICCInfo1":
     ("SEQUENCE", 48928,
      (("svn", ("OCTET STRING", 130), False, None),
       ("euiccCiPKIdListForVerification", ("SEQUENCE OF", 169, ("OCTET STRING", 4)), False, None),
       ("euiccCiPKIdListForSigning", ("SEQUENCE OF", 170, ("OCTET STRING", 4)), False, None),
       ("euiccCiPKIdListForSigningV3", ("SEQUENCE OF", 177, ("OCTET STRING", 4)), True, None),
       ("euiccRspCapability", ("BIT STRING", 136), True, None),
       ("highestSvn", ("OCTET STRING", 147), True, None))),
    "GetEuiccInfo2Request":
     ("SEQUENCE", 48930, ()),
    "EUICCInfo2":
     ("SEQUENCE", 48930,
      (("profileVersion", ("OCTET STRING", 129), False, None), ("svn", ("OCTET STRING", 130), False, None),
       ("euiccFirmwareVer", ("OCTET STRING", 131), False, None),
       ("extCardResource", ("OCTET STRING", 132), False, None),
       ("uiccCapability", ("BIT STRING", 133), False, None),
       ("ts102241Version", ("OCTET STRING", 134), True, None),
       ("globalplatformVersion", ("OCTET STRING", 135), True, None),
       ("rspCapability", ("BIT STRING", 136), False, None),
       ("euiccCiPKIdListForVerification", ("SEQUENCE OF", 169, ("OCTET STRING", 4)), False, None),
       ("euiccCiPKIdListForSigning", ("SEQUENCE OF", 170, ("OCTET STRING", 4)), False, None),
       ("euiccCategory", ("INTEGER", 139), True, None),
       ("forbiddenProfilePolicyRules", ("BIT STRING", 153), True, None),
       ("ppVersion", ("OCTET STRING", 4), False, None),
       ("sasAcreditationNumber", ("UTF8String", 12), False, None),
       ("certificationDataObject", ("=", 172, "CertificationDataObject"), True, None),
       ("treProperties", ("BIT STRING", 141), True, None),
       ("treProductReference", ("UTF8String", 142), True, None),
       ("additionalProfilePackageVersions", ("SEQUENCE OF", 175, ("OCTET STRING", 4)), True, None),
       ("lpaMode", ("INTEGER", 144), True, None),
       ("euiccCiPKIdListForSigningV3", ("SEQUENCE OF", 177, ("OCTET STRING", 4)), True, None),
       ("additionalEuiccInfo", ("OCTET STRING", 146), True, None),
       ("highestSvn", ("OCTET STRING", 147), True, None),
       ("iotSpecificInfo", ("=", 180, "IotSpecificInfo"), True, None))),
    "CertificationDataObject":
     ("SEQUENCE", 48,
      (("platformLabel", ("UTF8String", 128), False, None),
       ("discoveryBaseURL", ("UTF8String", 129), False, None))),
    "IotSpecificInfo":
     ("SEQUENCE", 48,
      (("iotVersion", ("SEQUENCE OF", 160, ("OCTET STRING", 4)), False, None),
       ("ecallSupported", ("NULL", 129), True, None), ("fallbackSupported", ("NULL", 130), True, None))),
    "GetRatRequest":
     ("SEQUENCE", 48963, ()),
    "GetRatResponse":
     ("SEQUENCE", 48963, (("rat", ("=", 160, "RulesAuthorisationTable"), False, None),)),
    "RulesAuthorisationTable":
     ("SEQUENCE OF", 48, ("=", None, "ProfilePolicyAuthorisationRule")),
    "ProfilePolicyAuthorisationRule":
     ("SEQUENCE", 48,
      (("pprIds", ("BIT STRING", 128), False, None),
       ("allowedOperators", ("SEQUENCE OF", 161, ("=", None, "OperatorId")), False, None),
       ("pprFlags", ("BIT STRING", 130), False, None))),
    "GetEuiccChallengeRequest":
     ("SEQUENCE", 48942, ()),
    "GetEuiccChallengeResponse":
     ("SEQUENCE", 48942, (("euiccChallenge", ("OCTET STRING", 128), False, None),)),
    "AuthenticateServerRequest":
     ("SEQUENCE", 48952,
      (("serverSigned1", ("ANY", None), False, None),
       ("serverSignature1", ("OCTET STRING", 24375), False, None),
       ("euiccCiPKIdToBeUsed", ("OCTET STRING", 4), True, None),
       ("serverCertificate", ("ANY", None), False, None), ("ctxParams1", ("ANY", None), False, None),
       ("otherCertsInChain", ("SEQUENCE OF", 161, ("ANY", None)), True, None),
       ("crlList", ("SEQUENCE OF", 162, ("ANY", None)), True, None))),
    "ServerSigned1":
     ("SEQUENCE", 48,
      (("transactionId", ("OCTET STRING", 128), False, None),
       ("euiccChallenge", ("OCTET STRING", 129), False, None),
       ("serverAddress", ("UTF8String", 131), False, None),
       ("serverChallenge", ("OCTET STRING", 132), False, None),
       ("sessionContext", ("=", 165, "SessionContext"), True, None),
       ("serverRspCapability", ("BIT STRING", 134), True, None))),
    "SessionContext":
     ("SEQUENCE", 48,
      (("serverSvn", ("OCTET STRING", 128), False, None),
       ("crlStaplingV3Used", ("BOOLEAN", 129), False, None),
       ("euiccCiPKIdToBeUsedV3", ("OCTET STRING", 130), True, None),
       ("supportedPushServices", ("SEQUENCE OF", 163, ("OBJECT IDENTIFIER", 6)), True, None))),
    "CtxParams1":
     ("CHOICE", None,
      (("ctxParamsForCommonAuthentication", ("=", 160, "CtxParamsForCommonAuthentication")),)),
    "CtxParamsForCommonAuthentication":
     ("SEQUENCE", 48,
      (("matchingId", ("UTF8String", 128), True, None),
       ("deviceInfo", ("=", 161, "DeviceInfo"), False, None),
       ("operationType", ("BIT STRING", 130), True, None), ("iccid", ("OCTET STRING", 90), True, None),
       ("matchingIdSource", ("EXPLICIT", 163, ("=", None, "MatchingIdSource")), True, None),
       ("vendorSpecificExtension", ("=", 164, "VendorSpecificExtension"), True, None))),
    "MatchingIdSource":
     ("CHOICE", None,
      (("none", ("NULL", 128)), ("activationCode", ("NULL", 129)), ("smdsOid", ("OBJECT IDENTIFIER", 130)))),
    "DeviceInfo":
     ("SEQUENCE", 48,
      (("tac", ("OCTET STRING", 128), False, None),
       ("deviceCapabilities", ("=", 161, "DeviceCapabilities"), False, None),
       ("imei", ("OCTET STRING", 130), True, None),
       ("preferredLanguages", ("SEQUENCE OF", 163, ("UTF8String", 12)), True, None),
       ("deviceTestMode", ("NULL", 132), True, None),
       ("lpaRspCapability", ("BIT STRING", 133), True, None))),
    "DeviceCapabilities":
     ("SEQUENCE", 48,
      (("gsmSupportedRelease", ("OCTET STRING", 128), True, None),
       ("utranSupportedRelease", ("OCTET STRING", 129), True, None),
       ("cdma2000onexSupportedRelease", ("OCTET STRING", 130), True, None),
       ("cdma2000hrpdSupportedRelease", ("OCTET STRING", 131), True, None),
       ("cdma2000ehrpdSupportedRelease", ("OCTET STRING", 132), True, None),
       ("eutranEpcSupportedRelease", ("OCTET STRING", 133), True, None),
       ("contactlessSupportedRelease", ("OCTET STRING", 134), True, None),
       ("rspCrlSupportedVersion", ("OCTET STRING", 135), True, None),
       ("nrEpcSupportedRelease", ("OCTET STRING", 136), True, None),
       ("nr5gcSupportedRelease", ("OCTET STRING", 137), True, None),
       ("eutran5gcSupportedRelease", ("OCTET STRING", 138), True, None),
       ("lpaSvn", ("OCTET STRING", 139), True, None),
       ("catSupportedClasses", ("BIT STRING", 140), True, None),
       ("euiccFormFactorType", ("INTEGER", 141), True, None))),
    "AuthenticateServerResponse":
     ("EXPLICIT", 48952,
      ("CHOICE", None,
       (("authenticateResponseOk", ("=", 160, "AuthenticateResponseOk")),
        ("authenticateResponseError", ("=", 161, "AuthenticateResponseError"))))),
    "AuthenticateResponseOk":
     ("SEQUENCE", 48,
      (("euiccSigned1", ("ANY", None), False, None),
       ("euiccSignature1", ("OCTET STRING", 24375), False, None),
       ("euiccCertificate", ("ANY", None), False, None), ("eumCertificate", ("ANY", None), False, None),
       ("otherCertsInChain", ("SEQUENCE OF", 160, ("ANY", None)), True, None))),
    "EuiccSigned1":
     ("SEQUENCE", 48,
      (("transactionId", ("OCTET STRING", 128), False, None),
       ("serverAddress", ("UTF8String", 131), False, None),
       ("serverChallenge", ("OCTET STRING", 132), False, None),
       ("euiccInfo2", ("=", None, "EUICCInfo2"), False, None), ("ctxParams1", ("ANY", None), False, None))),
    "AuthenticateResponseError":
     ("SEQUENCE", 48,
      (("transactionId", ("OCTET STRING", 128), True, None),
       ("authenticateErrorCode", ("INTEGER", 2), False, None))),
    "PrepareDownloadRequest":
     ("SEQUENCE", 48929,
      (("smdpSigned2", ("ANY", None), False, None), ("smdpSignature2", ("OCTET STRING", 24375), False, None),
       ("hashCc", ("OCTET STRING", 4), True, None), ("smdpCertificate", ("ANY", None), False, None))),
    "SmdpSigned2":
     ("SEQUENCE", 48,
      (("transactionId", ("OCTET STRING", 128), False, None),
       ("ccRequiredFlag", ("BOOLEAN", 1), False, None),
       ("bppEuiccOtpk", ("OCTET STRING", 24393), True, None), ("rpmPending", ("NULL", 5), True, None))),
    "PrepareDownloadResponse":
     ("EXPLICIT", 48929,
      ("CHOICE", None,
       (("downloadResponseOk", ("=", 160, "PrepareDownloadResponseOk")),
        ("downloadResponseError", ("=", 161, "PrepareDownloadResponseError"))))),
    "PrepareDownloadResponseOk":
     ("SEQUENCE", 48,
      (("euiccSigned2", ("ANY", None), False, None),
       ("euiccSignature2", ("OCTET STRING", 24375), False, None))),
    "EuiccSigned2":
     ("SEQUENCE", 48,
      (("transactionId", ("OCTET STRING", 128), False, None),
       ("euiccOtpk", ("OCTET STRING", 24393), False, None), ("hashCc", ("OCTET STRING", 4), True, None))),
    "PrepareDownloadResponseError":
     ("SEQUENCE", 48,
      (("transactionId", ("OCTET STRING", 128), True, None),
       ("downloadErrorCode", ("INTEGER", 2), False, None))),
    "BoundProfilePackage":
     ("SEQUENCE", 48950,
      (("initialiseSecureChannelRequest", ("=", None, "InitialiseSecureChannelRequest"), False, None),
       ("firstSequenceOf87", ("SEQUENCE OF", 160, ("OCTET STRING", 135)), False, None),
       ("sequenceOf88", ("SEQUENCE OF", 161, ("OCTET STRING", 136)), False, None),
       ("secondSequenceOf87", ("SEQUENCE OF", 162, ("OCTET STRING", 135)), True, None),
       ("sequenceOf86", ("SEQUENCE OF", 163, ("OCTET STRING", 134)), False, None))),
    "InitialiseSecureChannelRequest":
     ("SEQUENCE", 48931,
      (("remoteOpId", ("INTEGER", 130), False, None), ("transactionId", ("OCTET STRING", 128), False, None),
       ("controlRefTemplate", ("=", 166, "ControlRefTemplate"), False, None),
       ("smdpOtpk", ("OCTET STRING", 24393), False, None),
       ("smdpSign", ("OCTET STRING", 24375), False, None))),
    "ControlRefTemplate":
     ("SEQUENCE", 48,
      (("keyType", ("OCTET STRING", 128), False, None), ("keyLen", ("OCTET STRING", 129), False, None),
       ("hostId", ("OCTET STRING", 132), False, None))),
    "ConfigureISDPRequest":
     ("SEQUENCE", 48932, (("dpProprietaryData", ("=", 184, "DpProprietaryData"), True, None),)),
    "StoreMetadataRequest":
     ("SEQUENCE", 48933,
      (("iccid", ("OCTET STRING", 90), False, None),
       ("serviceProviderName", ("UTF8String", 145), False, None),
       ("profileName", ("UTF8String", 146), False, None), ("iconType", ("INTEGER", 147), True, None),
       ("icon", ("OCTET STRING", 148), True, None), ("profileClass", ("INTEGER", 149), False, 2),
       ("notificationConfigurationInfo",
        ("SEQUENCE OF", 182, ("=", None, "NotificationConfigurationInformation")), True, None),
       ("profileOwner", ("=", 183, "OperatorId"), True, None),
       ("profilePolicyRules", ("BIT STRING", 153), True, None),
       ("serviceSpecificDataStoredInEuicc", ("=", 48930, "VendorSpecificExtension"), True, None),
       ("serviceSpecificDataNotStoredInEuicc", ("=", 48931, "VendorSpecificExtension"), True, None))),
    "ReplaceSessionKeysRequest":
     ("SEQUENCE", 48934,
      (("initialMacChainingValue", ("OCTET STRING", 128), False, None),
       ("ppkEnc", ("OCTET STRING", 129), False, None), ("ppkCmac", ("OCTET STRING", 130), False, None))),
    "ProfileInstallationResult":
     ("SEQUENCE", 48951,
      (("profileInstallationResultData", ("ANY", None), False, None),
       ("euiccSignPIR", ("OCTET STRING", 24375), False, None))),
    "ProfileInstallationResultData":
     ("SEQUENCE", 48935,
      (("transactionId", ("OCTET STRING", 128), False, None),
       ("notificationMetadata", ("=", None, "NotificationMetadata"), False, None),
       ("smdpOid", ("OBJECT IDENTIFIER", 6), False, None),
       ("finalResult", ("EXPLICIT", 162, ("=", None, "FinalResult")), False, None))),
    "FinalResult":
     ("CHOICE", None,
      (("successResult", ("=", 160, "SuccessResult")), ("errorResult", ("=", 161, "ErrorResult")))),
    "SuccessResult":
     ("SEQUENCE", 48,
      (("aid", ("OCTET STRING", 79), False, None), ("simaResponse", ("OCTET STRING", 4), False, None))),
    "ErrorResult":
     ("SEQUENCE", 48,
      (("bppCommandId", ("INTEGER", 128), False, None), ("errorReason", ("INTEGER", 129), False, None),
       ("simaResponse", ("OCTET STRING", 130), True, None))),
    "EUICCResponse":
     ("SEQUENCE", 48,
      (("peStatus", ("SEQUENCE OF", 160, ("=", None, "PEStatus")), False, None),
       ("profileInstallationAborted", ("NULL", 129), True, None),
       ("statusMessage", ("UTF8String", 130), True, None))),
    "PEStatus":
     ("SEQUENCE", 48,
      (("status", ("INTEGER", 128), False, None), ("identification", ("INTEGER", 129), True, None),
       ("additional-information", ("INTEGER", 130), True, None), ("offset", ("INTEGER", 131), True, None))),
    "CancelSessionRequest":
     ("SEQUENCE", 48961,
      (("transactionId", ("OCTET STRING", 128), False, None), ("reason", ("INTEGER", 129), False, None))),
    "CancelSessionResponse":
     ("EXPLICIT", 48961,
      ("CHOICE", None,
       (("cancelSessionResponseOk", ("=", 160, "CancelSessionResponseOk")),
        ("cancelSessionResponseError", ("INTEGER", 129))))),
    "CancelSessionResponseOk":
     ("SEQUENCE", 48,
      (("euiccCancelSessionSigned", ("ANY", None), False, None),
       ("euiccCancelSessionSignature", ("OCTET STRING", 24375), False, None))),
    "EuiccCancelSessionSigned":
     ("SEQUENCE", 48,
      (("transactionId", ("OCTET STRING", 128), False, None),
       ("smdpOid", ("OBJECT IDENTIFIER", 129), False, None), ("reason", ("INTEGER", 130), False, None))),
    "LoadCRLRequest":
     ("SEQUENCE", 48949, (("crl", ("ANY", None), False, None),)),
    "LoadCRLResponse":
     ("EXPLICIT", 48949,
      ("CHOICE", None,
       (("loadCRLResponseOk",
         ("SEQUENCE", 160, (("missingParts", ("SEQUENCE OF", 48, ("INTEGER", 2)), True, None),))),
        ("loadCRLResponseError", ("INTEGER", 129))))),
    "NotificationMetadata":
     ("SEQUENCE", 48943,
      (("seqNumber", ("INTEGER", 128), False, None),
       ("profileManagementOperation", ("BIT STRING", 129), False, None),
       ("notificationAddress", ("UTF8String", 12), False, None),
       ("iccid", ("OCTET STRING", 90), True, None))),
    "ListNotificationRequest":
     ("SEQUENCE", 48936, (("profileManagementOperation", ("BIT STRING", 129), True, None),)),
    "ListNotificationResponse":
     ("EXPLICIT", 48936,
      ("CHOICE", None,
       (("notificationMetadataList", ("SEQUENCE OF", 160, ("=", None, "NotificationMetadata"))),
        ("listNotificationsResultError", ("INTEGER", 129))))),
    "RetrieveNotificationsListRequest":
     ("SEQUENCE", 48939,
      (("searchCriteria", ("EXPLICIT", 160, ("=", None, "NotificationSearch")), True, None),)),
    "NotificationSearch":
     ("CHOICE", None, (("seqNumber", ("INTEGER", 128)), ("profileManagementOperation", ("BIT STRING", 129)))),
    "RetrieveNotificationsListResponse":
     ("EXPLICIT", 48939,
      ("CHOICE", None,
       (("notificationList", ("SEQUENCE OF", 160, ("ANY", None))),
        ("notificationsListResultError", ("INTEGER", 129))))),
    "PendingNotification":
     ("CHOICE", None,
      (("profileInstallationResult", ("=", None, "ProfileInstallationResult")),
       ("otherSignedNotification", ("=", None, "OtherSignedNotification")))),
    "OtherSignedNotification":
     ("SEQUENCE", 48,
      (("tbsOtherNotification", ("ANY", None), False, None),
       ("euiccNotificationSignature", ("OCTET STRING", 24375), False, None),
       ("euiccCertificate", ("ANY", None), False, None), ("eumCertificate", ("ANY", None), False, None),
       ("otherCertsInChain", ("SEQUENCE OF", 161, ("ANY", None)), True, None))),
    "NotificationSentRequest":
     ("SEQUENCE", 48944, (("seqNumber", ("INTEGER", 128), False, None),)),
    "NotificationSentResponse":
     ("SEQUENCE", 48944, (("deleteNotificationStatus", ("INTEGER", 128), False, None),)),
    "ProfileInfoListRequest":
     ("SEQUENCE", 48941,
      (("searchCriteria", ("EXPLICIT", 160, ("=", None, "ProfileSearch")), True, None),
       ("tagList", ("OCTET STRING", 92), True, None))),
    "ProfileSearch":
     ("CHOICE", None,
      (("isdpAid", ("OCTET STRING", 79)), ("iccid", ("OCTET STRING", 90)),
       ("profileClass", ("INTEGER", 149)))),
    "ProfileInfoListResponse":
     ("EXPLICIT", 48941,
      ("CHOICE", None,
       (("profileInfoListOk", ("SEQUENCE OF", 160, ("=", None, "ProfileInfo"))),
        ("profileInfoListError", ("INTEGER", 129))))),
    "ProfileInfo":
     ("SEQUENCE", 227,
      (("iccid", ("OCTET STRING", 90), True, None), ("isdpAid", ("OCTET STRING", 79), True, None),
       ("profileState", ("INTEGER", 40816), True, None),
       ("profileNickname", ("UTF8String", 144), True, None),
       ("serviceProviderName", ("UTF8String", 145), True, None),
       ("profileName", ("UTF8String", 146), True, None), ("iconType", ("INTEGER", 147), True, None),
       ("icon", ("OCTET STRING", 148), True, None), ("profileClass", ("INTEGER", 149), True, None),
       ("notificationConfigurationInfo",
        ("SEQUENCE OF", 182, ("=", None, "NotificationConfigurationInformation")), True, None),
       ("profileOwner", ("=", 183, "OperatorId"), True, None),
       ("dpProprietaryData", ("=", 184, "DpProprietaryData"), True, None),
       ("profilePolicyRules", ("BIT STRING", 153), True, None),
       ("serviceSpecificDataStoredInEuicc", ("=", 48930, "VendorSpecificExtension"), True, None))),
    "ProfileIdentifier":
     ("CHOICE", None, (("isdpAid", ("OCTET STRING", 79)), ("iccid", ("OCTET STRING", 90)))),
    "EnableProfileRequest":
     ("SEQUENCE", 48945,
      (("profileIdentifier", ("EXPLICIT", 160, ("=", None, "ProfileIdentifier")), False, None),
       ("refreshFlag", ("BOOLEAN", 129), False, None), ("targetEsimPort", ("INTEGER", 130), True, None))),
    "EnableProfileResponse":
     ("SEQUENCE", 48945, (("enableResult", ("INTEGER", 128), False, None),)),
    "DisableProfileRequest":
     ("SEQUENCE", 48946,
      (("profileIdentifier", ("EXPLICIT", 160, ("=", None, "ProfileIdentifier")), False, None),
       ("refreshFlag", ("BOOLEAN", 129), False, None))),
    "DisableProfileResponse":
     ("SEQUENCE", 48946, (("disableResult", ("INTEGER", 128), False, None),)),
    "DeleteProfileRequest":
     ("EXPLICIT", 48947, ("=", None, "ProfileIdentifier")),
    "DeleteProfileResponse":
     ("SEQUENCE", 48947, (("deleteResult", ("INTEGER", 128), False, None),)),
    "EuiccMemoryResetRequest":
     ("SEQUENCE", 48948, (("resetOptions", ("BIT STRING", 130), False, None),)),
    "EuiccMemoryResetResponse":
     ("SEQUENCE", 48948, (("resetResult", ("INTEGER", 128), False, None),)),
    "GetEuiccDataRequest":
     ("SEQUENCE", 48958, (("tagList", ("OCTET STRING", 92), False, None),)),
    "GetEuiccDataResponse":
     ("SEQUENCE", 48958, (("eidValue", ("OCTET STRING", 90), False, None),)),
    "SetNicknameRequest":
     ("SEQUENCE", 48937,
      (("iccid", ("OCTET STRING", 90), False, None), ("profileNickname", ("UTF8String", 144), False, None))),
    "SetNicknameResponse":
     ("SEQUENCE", 48937, (("setNicknameResult", ("INTEGER", 128), False, None),)),
    "ISDRProprietaryApplicationTemplate":
     ("SEQUENCE", 224,
      (("svn", ("OCTET STRING", 130), False, None), ("lpaeSupport", ("BIT STRING", 3), True, None))),
}
