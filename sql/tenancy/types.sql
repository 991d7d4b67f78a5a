CREATE TYPE tenancy.org_plan AS ENUM (
    'free',
    'team',
    'enterprise'
);

COMMENT ON TYPE tenancy.org_plan IS 'What an organization pays for: free, team or enterprise.';

CREATE TYPE tenancy.member_role AS ENUM (
    'owner',
    'admin',
    'member',
    'viewer'
);

COMMENT ON TYPE tenancy.member_role IS 'Member roles for clients that speak in enums; tenancy.org_memberships.role is text and also takes developer.';
